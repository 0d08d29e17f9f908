import shutil
from pathlib import Path

import pytest

from cellxai.data.readers.folder import ImageFolder
from cellxai.data.readers.sartorius import Sartorius
from cellxai.files.folder import read_csv, read_json
from cellxai.trained.run import load_run
from cellxai.verbs.evaluate import evaluate
from cellxai.verbs.synthesize import synthesize


@pytest.fixture(scope="module")
def others(tmp_path_factory) -> Path:
    """New cells, in a folder per class."""
    folder = tmp_path_factory.mktemp("others")
    synthesize(folder / "made", n_images=12, seed=5, height=64, width=64)
    rows = read_csv(folder / "made" / "train.csv")
    for image_id, label in {(row["id"], row["cell_type"]) for row in rows}:
        (folder / "classes" / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / f"made/train/{image_id}.png", folder / "classes" / label)
    return folder / "classes"


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_other_images_are_judged_beside_the_runs_own_and_not_over_them(run, others):
    own = evaluate(run, "cpu")
    before = content(own.folder)
    result = evaluate(run, "cpu", ImageFolder(others))
    assert content(own.folder) == before
    assert result.folder.parent == own.folder
    assert result.folder.name.startswith("ImageFolder-")
    rows = read_csv(result.folder / "predictions.csv")
    assert len(rows) == 12
    right = sum(row["label"] == row["predicted"] for row in rows)
    assert result.accuracy == {result.folder.name: right / 12}
    report = read_json(result.folder / "report.json")
    assert report["comparison"]["kind"] == "unpaired"
    assert report["comparison"]["accuracy_of_run"] == own.accuracy["test"]
    assert "labelled images of another source" in str(result)


def test_classes_are_matched_by_name_and_those_that_the_run_lacks_are_named(run, others, tmp_path):
    labels = sorted(path.name for path in others.iterdir())
    shutil.copytree(others / labels[1], tmp_path / "d" / labels[1])
    shutil.copytree(others / labels[2], tmp_path / "d" / "unheard_of")
    result = evaluate(run, "cpu", ImageFolder(tmp_path / "d"))
    rows = read_csv(result.folder / "predictions.csv")
    assert {row["label"] for row in rows} == {labels[1]}
    assert "not judged, for the run has no such class: unheard_of 4" in str(result)
    shutil.rmtree(tmp_path / "d" / labels[1])
    with pytest.raises(ValueError, match=r"no image has a class of the run; got unheard_of, exp"):
        evaluate(run, "cpu", ImageFolder(tmp_path / "d"))


def test_images_of_equal_id_are_compared_in_pairs_and_what_trained_the_run_is_counted(run):
    own = evaluate(run, "cpu")
    trained = load_run(run, "cpu")
    assert isinstance(trained.settings.data, Sartorius)
    result = evaluate(run, "cpu", trained.settings.data)
    comparison = read_json(result.folder / "report.json")["comparison"]
    n_test = len(trained.images.records("test"))
    assert (comparison["kind"], comparison["n_images"]) == ("paired", n_test)
    assert comparison["accuracy"] == comparison["accuracy_of_run"] == own.accuracy["test"]
    n_trained = len(trained.images.records("train"))
    assert f"the accuracy says nothing: {n_trained} images: " in str(result)


def test_a_folder_for_other_images_is_not_taken_for_the_runs_own(run, tmp_path):
    with pytest.raises(ValueError, match="is for other images: pass data"):
        evaluate(run, "cpu", out=tmp_path / "out")
