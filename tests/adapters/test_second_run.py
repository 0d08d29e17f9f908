import csv
import shutil
from math import log
from pathlib import Path

import pytest
import torch

from cellxai.adapters.second_run import RunDensity, RunModel
from cellxai.files.identity import describe_settings
from cellxai.trained.run import load_run
from cellxai.verbs.density.verb import density


def test_the_classifier_of_another_run_is_read_once(tiny_run):
    source = RunModel(tiny_run)
    model = source.load(torch.device("cpu"))
    assert source.load(torch.device("cpu")) is model
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(model(images), load_run(tiny_run, "cpu").classifier(images))
    assert str(tiny_run) in describe_settings(source)


@pytest.mark.slow
def test_the_density_of_a_run_is_what_its_table_says(tiny_run, tmp_path):
    copy = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    density(copy, device="cpu")
    run = load_run(copy, "cpu")
    part = run.judged_part
    with (copy / "density" / "scores.csv").open() as file:
        told = {row["id"]: float(row["log_p"]) for row in csv.DictReader(file)}
    source = RunDensity(copy)
    for index, record in enumerate(run.images.records(part)):
        found = source.log_density(run.pixels(part, index)).item()
        # In the tail the score is the table's; elsewhere that is a rank, and at most a tenth rarer.
        if told[record.id] < log(0.05):
            assert found == pytest.approx(told[record.id], abs=1e-2, rel=1e-2)
        else:
            assert found > log(0.05)
    assert str(copy) in describe_settings(source)


def test_a_run_without_a_density_is_named(tiny_run, tmp_path):
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    shutil.rmtree(run / "density", ignore_errors=True)  # of another test
    with pytest.raises(FileNotFoundError, match="cellxai density --run"):
        RunDensity(run).log_density(torch.zeros(1, 3, 8, 8))
