import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    precision_recall_fscore_support,
)

from cellxai.data.records import Record
from cellxai.data.statistics import fit_discriminant, pixel_statistics
from cellxai.evaluation.class_calibration import ClassCalibration, read_calibration
from cellxai.evaluation.conformal import ConformalClassifier
from cellxai.evaluation.judgement import PartJudgement
from cellxai.evaluation.temperature import fit_temperature
from cellxai.files.folder import RunFolder, read_csv
from cellxai.trained.run import load_run
from cellxai.verbs.evaluate import NOTES, EvaluationSummary, evaluate
from cellxai.verbs.evaluate.certainty import calibrate_run, judge_sets, temperature_of_run
from cellxai.verbs.evaluate.verb import prediction_rows

FIGURES = ("precision", "recall", "f1", "support")
PICTURES = ("confusion.png", "roc.png", "reliability.png")


def test_the_figures_are_scikit_learns_of_the_stored_predictions(evaluated, report):
    rows = read_csv(evaluated.folder / "predictions.csv")
    classes = report["classes"]
    for part, judged in report["parts"].items():
        pairs = [(row["label"], row["predicted"]) for row in rows if row["part"] == part]
        truth, predicted = zip(*pairs, strict=True)
        assert judged["n_images"] == len(pairs)
        assert judged["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
        assert evaluated.accuracy[part] == judged["accuracy"]
        balanced = balanced_accuracy_score(truth, predicted)
        assert judged["balanced_accuracy"] == pytest.approx(balanced)
        matrix = confusion_matrix(truth, predicted, labels=classes)
        assert judged["confusion"] == matrix.tolist()
        expected = precision_recall_fscore_support(
            truth, predicted, labels=classes, zero_division=0
        )
        for name, *figures in zip(classes, *expected, strict=True):
            actual_figures = [judged["per_class"][name][key] for key in FIGURES]
            assert actual_figures == pytest.approx(figures)


def test_there_is_one_prediction_for_each_image(tiny_run, evaluated):
    rows = read_csv(evaluated.folder / "predictions.csv")
    split = read_csv(tiny_run / "split.csv")
    assert {(row["id"], row["part"], row["label"]) for row in rows} == {
        (row["id"], row["part"], row["label"]) for row in split
    }
    assert len(rows) == len(split)


def test_each_image_has_its_own_and_its_calibrated_probabilities():
    logits, classes = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), ("a", "b")
    judged = PartJudgement("test", classes, logits, torch.tensor([0, 1]), np.arange(2))
    records = [Record(name, Path(name), name) for name in classes]
    kept = ClassCalibration("", classes, 2.0, "", (), ())
    for row, own in zip(prediction_rows(judged, records, kept), logits, strict=True):
        written = [float(row[f"p_{name}"]) for name in classes]
        np.testing.assert_allclose(written, own.softmax(0), atol=1e-6)
        written = [float(row[f"calibrated_{name}"]) for name in classes]
        np.testing.assert_allclose(written, (own / 2).softmax(0), atol=1e-6)
    (first, _) = prediction_rows(judged, records, replace(kept, temperature=None))
    assert {first[f"calibrated_{name}"] for name in classes} == {""}


def test_an_image_broken_since_the_training_is_told_and_the_rest_judged(tiny_run, tmp_path):
    shutil.copytree(tiny_run.parent / "cells", tmp_path / "cells")
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    config = run / "config.yaml"
    old, new = (str(folder / "cells") for folder in (tiny_run.parent, tmp_path))
    config.write_text(config.read_text().replace(old, new))
    broken = min((tmp_path / "cells" / "train").glob("*.png"))
    broken.write_bytes(broken.read_bytes()[:200])
    result = evaluate(run, "cpu")
    assert str(result).splitlines()[2:] == [f"left out: {fault}" for fault in result.faults]
    assert [fault.where for fault in result.faults] == [f"image {broken.stem}"]
    assert len(read_csv(run / "evaluation" / "predictions.csv")) == 23


def test_probabilities_are_the_softmax_of_the_logits(tiny_run, evaluated):
    rows = [row for row in read_csv(evaluated.folder / "predictions.csv") if row["part"] == "test"]
    trained = load_run(tiny_run, "cpu")
    stored = [[float(row[f"p_{name}"]) for name in trained.classes] for row in rows]
    expected = trained.outputs("test")[0].softmax(-1)
    torch.testing.assert_close(torch.tensor(stored), expected, atol=1e-6, rtol=0)
    for row, probabilities in zip(rows, stored, strict=True):
        assert float(row["confidence"]) == max(probabilities)
        assert row["predicted"] == trained.classes[probabilities.index(max(probabilities))]


def test_the_part_to_quote_and_what_to_think_of_it_are_told(evaluated, report):
    assert report["judged_part"] == evaluated.judged_part == "test"
    assert report["note"] == NOTES["test"]
    assert str(evaluated).splitlines()[0].endswith(NOTES["test"])
    assert all((evaluated.folder / name).read_bytes()[1:4] == b"PNG" for name in PICTURES)


@pytest.mark.parametrize("part", NOTES)
def test_every_part_has_its_own_note(tmp_path, part):
    assert NOTES[part] in str(EvaluationSummary(tmp_path, {part: 0.5}, part))


def test_every_part_has_intervals_areas_and_calibration(report):
    for judged in report["parts"].values():
        low, high = judged["intervals"]["accuracy"]
        assert low < judged["accuracy"] <= high
        assert {*judged["intervals"]} == {
            "n_units", "accuracy", "balanced_accuracy", "macro_f1", "macro_auroc"
        }  # fmt: skip
        assert judged["intervals"]["n_units"] == judged["n_images"]
        assert 0 <= judged["ranking"]["macro_auroc"] <= 1
        for binning in ("equal_width", "equal_mass"):
            assert sum(judged["calibration"][binning]["counts"]) == judged["n_images"]


def test_the_definitions_are_stated_beside_the_figures(report):
    assert "1706.04599" in report["definitions"]["calibration"]
    assert "not stratified" in report["definitions"]["intervals"]


def test_the_baseline_is_the_spread_of_the_stored_pixels_learned_from_the_training_images(
    tiny_run, report, evaluated
):
    trained = load_run(tiny_run, "cpu")

    def spread(part: str) -> np.ndarray:
        paths = [record.path for record in trained.images.records(part)]
        return np.array([pixel_statistics(np.array(Image.open(path))).sd for path in paths])

    floor = fit_discriminant(spread("train"), trained.labels("train").numpy(), 3)
    right = floor.predict(spread("test")) == trained.labels("test").numpy()
    assert report["baseline"]["accuracy"] == evaluated.baseline == right.mean()
    assert "by the pixel standard deviation alone" in str(evaluated)


def wrong_now_and_then(part: str, n: int, seed: int) -> PartJudgement:
    """Logits that are too sure by a factor of three."""
    generator = torch.Generator().manual_seed(seed)
    logits = 1.5 * torch.randn(n, 3, generator=generator)
    labels = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]
    return PartJudgement(part, "abc", 3 * logits, labels, np.arange(n))


def test_the_temperature_is_of_the_validation_images_alone_and_judged_on_the_test_images():
    parts = {part: wrong_now_and_then(part, 400, seed) for seed, part in enumerate(NOTES)}
    result = temperature_of_run(parts)
    validation = parts["validation"]
    assert result["value"] == fit_temperature(validation.logits, validation.labels)
    assert result["value"] == pytest.approx(3, rel=0.3)
    for figure in ("negative_log_likelihood", "ece_equal_width", "ece_equal_mass"):
        assert result["after"][figure] < result["before"][figure]
    before = parts["test"].report["calibration"]
    assert result["before"]["ece_equal_mass"] == pytest.approx(before["equal_mass"]["ece"])
    # Other test images, the same temperature.
    other = temperature_of_run(parts | {"test": wrong_now_and_then("test", 50, 9)})
    assert other["value"] == result["value"]


@pytest.mark.parametrize(
    ("kept", "lacking"),
    [(("train", "test"), "no validation part"), (("train", "validation"), "no test part")],
)
def test_no_temperature_is_fitted_on_the_judged_part(kept, lacking):
    result = temperature_of_run({part: wrong_now_and_then(part, 40, 0) for part in kept})
    assert result["value"] is None
    assert result["problem"].startswith(lacking)


def test_a_validation_part_without_a_mistake_leaves_the_temperature_out_and_says_why():
    parts = {part: wrong_now_and_then(part, 40, 0) for part in NOTES}
    logits = parts["validation"].logits
    sound = PartJudgement("validation", "abc", logits, logits.argmax(-1), np.arange(40))
    result = temperature_of_run(parts | {"validation": sound})
    assert result["value"] is None
    assert result["problem"].startswith("of the validation images, all 40 are right")


def test_sets_of_possible_classes_are_calibrated_on_validation_and_judged_on_test(
    tiny_run, evaluated, report
):
    trained = load_run(tiny_run, "cpu")
    (logits, _), labels = trained.outputs("validation"), trained.labels("validation")
    expected = ConformalClassifier.calibrate(logits, labels, 0.2)
    sets = expected.sets(trained.outputs("test")[0])
    judged = report["conformal"]["overall"]["0.2"]["test"]
    assert judged["n_covered"] == int(sets[torch.arange(6), trained.labels("test")].sum())
    assert judged["mean_size"] == pytest.approx(float(sets.sum(1).double().mean()))
    # Six images cannot leave any class out of a set at 90 %: that is said, not hidden.
    assert "6 calibration images cannot promise 90%" in evaluated.notes[0]
    kept, _ = read_calibration(evaluated.folder, report["weights"], trained.classes)
    assert kept is not None
    assert torch.equal(kept.conformal(0.2).sets(logits), expected.sets(logits))


def test_without_a_validation_part_nothing_is_calibrated_and_an_old_file_goes(tiny_run, tmp_path):
    trained = load_run(tiny_run, "cpu")
    old = trained.folder.evaluation / "calibration.json"
    kept = replace(trained, folder=RunFolder(tmp_path))
    old_copy = tmp_path / "evaluation" / "calibration.json"
    old_copy.parent.mkdir()
    shutil.copy(old, old_copy)
    assert calibrate_run(kept, {}, "w") is None
    assert not old_copy.exists()
    assert "no validation part" in judge_sets(None, {}, trained.classes)["problem"]


def test_test_images_have_the_conformal_set_whose_coverage_is_judged(evaluated, report):
    rows = read_csv(evaluated.folder / "predictions.csv")
    assert not any(row["possible_classes"] for row in rows if row["part"] != "test")
    judged = [row for row in rows if row["part"] == "test"]
    covered = [row["label"] in row["possible_classes"].split(" | ") for row in judged]
    assert sum(covered) == report["conformal"]["overall"]["0.1"]["test"]["n_covered"]
