import json
import shutil
from pathlib import Path

import pytest
import torch
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    precision_recall_fscore_support,
)

from cellxai.evaluation import NOTES, Evaluation, evaluate, judge
from cellxai.runfolder import read_csv
from cellxai.training.trained import load_run


@pytest.fixture(scope="module")
def found(tiny_run) -> Evaluation:
    return evaluate(tiny_run, "cpu")


@pytest.fixture(scope="module")
def report(found) -> dict:
    return json.loads((found.folder / "report.json").read_text())


def test_the_figures_are_scikit_learns_of_the_stored_predictions(found, report):
    rows = read_csv(found.folder / "predictions.csv")
    classes = report["classes"]
    for part, judged in report["parts"].items():
        pairs = [(row["label"], row["predicted"]) for row in rows if row["part"] == part]
        truth, predicted = zip(*pairs, strict=True)
        assert judged["n_images"] == len(pairs)
        assert judged["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
        assert found.accuracy[part] == judged["accuracy"]
        balanced = balanced_accuracy_score(truth, predicted)
        assert judged["balanced_accuracy"] == pytest.approx(balanced)
        matrix = confusion_matrix(truth, predicted, labels=classes)
        assert judged["confusion"] == matrix.tolist()
        expected = precision_recall_fscore_support(
            truth, predicted, labels=classes, zero_division=0
        )
        for name, *figures in zip(classes, *expected, strict=True):
            assert list(judged["per_class"][name].values()) == pytest.approx(figures)


def test_there_is_one_prediction_for_each_image(tiny_run, found):
    rows = read_csv(found.folder / "predictions.csv")
    split = read_csv(tiny_run / "split.csv")
    assert {(row["id"], row["part"], row["label"]) for row in rows} == {
        (row["id"], row["part"], row["label"]) for row in split
    }
    assert len(rows) == len(split)


def test_an_image_broken_since_the_training_is_told_and_the_rest_judged(tiny_run, tmp_path):
    shutil.copytree(tiny_run.parent / "cells", tmp_path / "cells")
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    config = run / "config.yaml"
    old, new = (str(folder / "cells") for folder in (tiny_run.parent, tmp_path))
    config.write_text(config.read_text().replace(old, new))
    broken = min((tmp_path / "cells" / "train").glob("*.png"))
    broken.write_bytes(broken.read_bytes()[:200])
    found = evaluate(run, "cpu")
    assert str(found).splitlines()[1:] == [f"left out: {fault}" for fault in found.faults]
    assert [fault.where for fault in found.faults] == [f"image {broken.stem}"]
    assert len(read_csv(run / "evaluation" / "predictions.csv")) == 23


def test_probabilities_are_the_softmax_of_the_logits(tiny_run, found):
    rows = [row for row in read_csv(found.folder / "predictions.csv") if row["part"] == "test"]
    trained = load_run(tiny_run, "cpu")
    stored = [[float(row[f"p_{name}"]) for name in trained.classes] for row in rows]
    expected = trained.outputs("test")[0].softmax(-1)
    torch.testing.assert_close(torch.tensor(stored), expected, atol=1e-6, rtol=0)
    for row, probabilities in zip(rows, stored, strict=True):
        assert float(row["confidence"]) == max(probabilities)
        assert row["predicted"] == trained.classes[probabilities.index(max(probabilities))]


def test_the_part_to_quote_and_what_to_think_of_it_are_told(found, report):
    assert report["judged_part"] == found.judged_part == "test"
    assert report["note"] == NOTES["test"]
    assert str(found).endswith(NOTES["test"])
    assert (found.folder / "confusion.png").exists()


@pytest.mark.parametrize("part", NOTES)
def test_every_part_has_its_own_note(tmp_path, part):
    assert NOTES[part] in str(Evaluation(tmp_path, {part: 0.5}, part))


def test_a_class_never_predicted_has_precision_zero_and_one_without_images_counts_in_no_mean():
    found = judge(torch.tensor([0, 0, 1]), torch.tensor([0, 0, 0]), ["a", "b", "c"])
    assert found["per_class"]["b"] == {"precision": 0, "recall": 0, "f1": 0, "support": 1}
    assert found["balanced_accuracy"] == 0.5
    assert found["confusion"] == [[2, 0, 0], [1, 0, 0], [0, 0, 0]]
