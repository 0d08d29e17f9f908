"""The section about the training."""

import shutil

from cellxai.files.folder import RunFolder, read_csv, write_csv
from cellxai.report.training.section import training_section


def test_the_last_epoch_is_told_in_words_and_short(finished_run):
    section = training_section(RunFolder(finished_run))
    assert section.problem == ""
    assert section.content.n_epochs == 12
    last = dict(section.content.last)
    assert {*last} == {"epoch", "train loss", "validation loss", "train accuracy",
                       "validation accuracy", "learning rate"}  # fmt: skip
    expected = read_csv(finished_run / "metrics.csv")[-1]["validation_loss"]
    assert last["validation loss"] == f"{float(expected):.4g}"
    assert section.content.curves.uri.startswith("data:image/png;base64,")


def test_a_training_without_validation_images_is_told_without_their_figures(finished_run, tmp_path):
    rows = [row | {"validation_loss": ""} for row in read_csv(finished_run / "metrics.csv")]
    write_csv(tmp_path / "metrics.csv", [*rows, rows[-1]])  # an epoch that was begun twice
    shutil.copy(finished_run / "config.yaml", tmp_path)
    section = training_section(RunFolder(tmp_path))
    assert section.content.n_epochs == 12
    assert "validation loss" not in dict(section.content.last)
    assert section.content.curves.problem.startswith("curves.png cannot be shown")


def test_a_run_that_was_not_trained_names_the_command(tmp_path):
    section = training_section(RunFolder(tmp_path / "a run"))
    assert section.content is None
    assert section.command == f"cellxai fit --config '{tmp_path}/a run/config.yaml'"
