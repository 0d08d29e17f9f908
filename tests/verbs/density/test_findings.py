import shutil

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from small_density import SETTINGS, column, figures, move_parts

from cellxai.density import DensityPipeline
from cellxai.files.folder import read_csv
from cellxai.trained.run import load_run
from cellxai.verbs.density.verb import density


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_scores_are_those_of_the_saved_pipeline(scored, part):
    pipeline = DensityPipeline.load(scored.folder / "pipeline.safetensors")
    features = load_run(scored.folder.parent).outputs(part)[1].double()
    for wanted, expected in (
        ("log_density", pipeline.score_samples(features)),
        ("reconstruction_error", pipeline.reconstruction_error(features)),
        ("unfamiliar", pipeline.unfamiliar(features)),
        ("density + reconstruction", pipeline.evidence(features)),
        ("mine", features[:, 0]),
    ):
        np.testing.assert_allclose(column(scored, part, wanted), expected, rtol=1e-8)


def test_predictions_are_the_classifiers(scored):
    run = load_run(scored.folder.parent)
    rows = [row for row in read_csv(scored.folder / "scores.csv") if row["set"] == "test"]
    predicted = run.outputs("test")[0].argmax(1)
    assert [row["predicted"] for row in rows] == [run.classes[int(k)] for k in predicted]


def test_the_threshold_is_set_by_the_validation_images_alone(scored):
    held_out = column(scored, "validation")
    expected = np.percentile(held_out, SETTINGS.percent, method="weibull")
    assert scored.threshold.threshold_nats == pytest.approx(expected, abs=1e-6)
    record = figures(scored)
    assert (record["calibrated_on"], record["n_calibration"]) == ("validation", len(held_out))
    gap = torch.tensor(column(scored, "train")).median() - torch.tensor(held_out).median()
    assert record["gap_nats"] == pytest.approx(float(gap), rel=1e-6)


def test_flagged_is_what_lies_below_the_threshold(scored):
    for name, share in scored.share_flagged.items():
        flags = column(scored, name, "unfamiliar")
        below = column(scored, name) < scored.threshold.threshold_nats
        assert list(flags) == list(below)
        assert share == pytest.approx(np.mean(flags))
        assert figures(scored)["sets"][name]["share_flagged"] == pytest.approx(share)


@pytest.mark.parametrize("name", ["density", "reconstruction", "mine", "max softmax"])
@pytest.mark.parametrize("strangers", ["spoiled", "dark"])
def test_the_table_compares_strangers_with_images_that_nothing_was_fitted_to(
    scored, name, strangers
):
    (row,) = [row for row in read_csv(scored.folder / "detectors.csv")
              if (row["detector"], row["set"]) == (name, strangers)]  # fmt: skip
    known, other = column(scored, "test", name), column(scored, strangers, name)
    truth = np.r_[np.zeros(len(known)), np.ones(len(other))]
    assert float(row["auroc"]) == pytest.approx(roc_auc_score(truth, -np.r_[known, other]))
    assert (int(row["n_in"]), int(row["n_out"])) == (len(known), len(other))
    assert float(row["auroc_low"]) <= float(row["auroc"]) <= float(row["auroc_high"])
    if name == "density":
        assert figures(scored)["auroc"][strangers] == pytest.approx(float(row["auroc"]))


def test_reliability_counts_judged_images_alone(scored):
    pipeline = DensityPipeline.load(scored.folder / "pipeline.safetensors")
    judged = load_run(scored.folder.parent).outputs("test")[1].double()
    rows = read_csv(scored.folder / "reliability.csv")
    assert SETTINGS.percent in [float(row["nominal_percent"]) for row in rows]
    for row in rows:
        flags = pipeline.unfamiliar(judged, float(row["nominal_percent"]))
        assert float(row["measured_share"]) == pytest.approx(flags.mean(), abs=1e-6)
        assert int(row["n"]) == len(judged)
        assert float(row["low"]) <= flags.mean() <= float(row["high"])


def test_in_turn_each_image_is_judged_by_a_threshold_and_a_fit_without_it(pixels):
    rows = read_csv(pixels.folder / "scores.csv")
    by_set = {name: {row["id"] for row in rows if row["set"] == name} for name in
              ("train", "out of fold", "dark")}  # fmt: skip
    assert len(by_set["train"]) == 24
    assert by_set["train"] == by_set["out of fold"] == by_set["dark"]
    record = read_csv(pixels.folder / "reliability.csv")
    at = next(row for row in record if float(row["nominal_percent"]) == SETTINGS.percent)
    assert float(at["measured_share"]) == pytest.approx(
        column(pixels, "out of fold", "unfamiliar").mean(), abs=1e-6
    )
    assert int(at["n"]) == 24
    assert figures(pixels)["calibrated_on"] == "out of fold"


def test_without_validation_images_the_test_images_set_the_threshold(run):
    move_parts(run, {"validation": "train"})
    result = density(run, SETTINGS, detectors={})
    assert figures(result)["calibrated_on"] == "test"
    assert "no image is left" in result.warnings[-1]
    assert not (result.folder / "reliability.csv").exists()
    expected = np.percentile(column(result, "test"), SETTINGS.percent, method="weibull")
    assert result.threshold.threshold_nats == pytest.approx(expected, abs=1e-6)


def test_training_images_never_set_the_threshold(run):
    shutil.rmtree(run / "density", ignore_errors=True)
    move_parts(run, {"validation": "train", "test": "train"})
    with pytest.raises(
        ValueError, match=r"all \d+ images were trained on.*--split\.validation_share"
    ) as caught:
        density(run, SETTINGS)
    assert "\n" not in str(caught.value)
    assert not (run / "density").exists()


@pytest.mark.slow
def test_a_class_that_is_left_out_is_fitted_by_nothing(run):
    result = density(run, SETTINGS, left_out_class="cort", detectors={})
    rows = read_csv(result.folder / "scores.csv")
    assert {row["label"] for row in rows if row["set"] == "class cort"} == {"cort"}
    assert "cort" not in {row["label"] for row in rows if row["set"] != "class cort"}
    held_out = {row["id"] for row in read_csv(run / "split.csv")
                if row["part"] != "train" and row["label"] == "cort"}  # fmt: skip
    assert {row["id"] for row in rows if row["set"] == "class cort"} == held_out
    assert "its features know that class" in result.warnings[-1]
    with pytest.raises(ValueError, match="left_out_class='hela': expected one of astro, cort"):
        density(run, SETTINGS, left_out_class="hela")
