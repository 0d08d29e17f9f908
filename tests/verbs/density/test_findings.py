import shutil

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from small_density import SETTINGS, column, figures, move_parts

from cellxai.data.pixels.corruptions import Darken
from cellxai.density import DensityPipeline
from cellxai.density.observing import observe_run
from cellxai.files.folder import read_csv
from cellxai.trained.run import load_run
from cellxai.verbs.density.verb import density


def look_at(run, part, views):
    trained = load_run(run, "cpu")
    source = observe_run(trained, views)
    source.images.setup()
    return source.part(part)


def test_scores_are_those_of_the_saved_pipeline(scored):
    run = scored.folder.parent
    pipeline = DensityPipeline.load(scored.folder / "pipeline.safetensors")
    images = look_at(run, "test", pipeline.views)
    verdicts = pipeline.judge(images.rows)
    np.testing.assert_allclose(column(scored, "test"), verdicts.evidence, rtol=1e-5)
    np.testing.assert_allclose(column(scored, "test", "p"), verdicts.p, rtol=1e-5)
    assert list(column(scored, "test", "unfamiliar")) == verdicts.flagged.tolist()
    for place, name in enumerate(pipeline.views):
        in_view = column(scored, "test", f"p: {name}")
        np.testing.assert_allclose(in_view, verdicts.log_p[:, place].exp(), rtol=1e-4)
    np.testing.assert_allclose(column(scored, "test", "mine"), images.features[:, 0], rtol=1e-6)


def test_images_of_the_fit_are_scored_out_of_their_folds(scored):
    pipeline = DensityPipeline.load(scored.folder / "pipeline.safetensors")
    own = pipeline.judge_known().p
    found = np.r_[column(scored, "train", "p"), column(scored, "validation", "p")]
    np.testing.assert_allclose(found, own, rtol=1e-5)


def test_predictions_are_the_classifiers(scored):
    run = load_run(scored.folder.parent)
    rows = [row for row in read_csv(scored.folder / "scores.csv") if row["set"] == "test"]
    predicted = run.outputs("test")[0].argmax(1)
    assert [row["predicted"] for row in rows] == [run.classes[int(k)] for k in predicted]


def test_training_and_validation_images_say_what_is_usual(scored):
    (promise,) = figures(scored)["promises"]
    n = len(column(scored, "train")) + len(column(scored, "validation"))
    assert promise["n_images"] == n
    assert promise["level"] == pytest.approx(int(0.3 * (n + 1)) / (n + 1))


def test_flagged_is_what_is_as_rare_as_was_asked_for(scored):
    (promise,) = figures(scored)["promises"]
    for name, share in scored.share_flagged.items():
        flags = column(scored, name, "unfamiliar")
        assert list(flags) == list(column(scored, name, "p") <= promise["level"] + 1e-5)
        assert share == pytest.approx(np.mean(flags))
        assert figures(scored)["sets"][name]["share_flagged"] == pytest.approx(share)


@pytest.mark.parametrize("name", ["density", "mine", "max softmax"])
@pytest.mark.parametrize("strangers", ["spoiled", "dark"])
def test_the_table_compares_strangers_with_images_that_nothing_was_fitted_to(
    scored, name, strangers
):
    (row,) = [row for row in read_csv(scored.folder / "detectors.csv")
              if (row["detector"], row["set"]) == (name, strangers)]  # fmt: skip
    wanted = "log_p" if name == "density" else name
    known, other = column(scored, "test", wanted), column(scored, strangers, wanted)
    truth = np.r_[np.zeros(len(known)), np.ones(len(other))]
    assert float(row["auroc"]) == pytest.approx(roc_auc_score(truth, -np.r_[known, other]))
    assert (int(row["n_in"]), int(row["n_out"])) == (len(known), len(other))
    low, high = float(row["auroc_low"]), float(row["auroc_high"])
    if len({*known, *other}) == 1:  # equal scores say nothing of how much they may differ
        assert np.isnan([low, high]).all()
    else:
        assert low <= float(row["auroc"]) <= high
    if name == "density":
        assert figures(scored)["auroc"][strangers] == pytest.approx(float(row["auroc"]))


def test_reliability_counts_judged_images_alone(scored):
    pipeline = DensityPipeline.load(scored.folder / "pipeline.safetensors")
    surprises = pipeline.surprises(look_at(scored.folder.parent, "test", pipeline.views).rows)
    rows = read_csv(scored.folder / "reliability.csv")
    assert SETTINGS.percent in [float(row["nominal_percent"]) for row in rows]
    for row in rows:
        calibration = pipeline.calibration_.at(float(row["nominal_percent"]))
        share = float(calibration.judge(surprises).flagged.double().mean())
        assert float(row["measured_share"]) == pytest.approx(share, abs=1e-6)
        assert int(row["n"]) == len(surprises)
        assert float(row["low"]) <= share <= float(row["high"])


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
    assert figures(pixels)["promises"][0]["n_images"] == 24


def test_without_validation_images_the_test_images_say_what_is_usual_too(run):
    move_parts(run, {"validation": "train"})
    result = density(run, SETTINGS, corruptions={"dark": Darken(5)}, detectors={})
    n = len(column(result, "train")) + len(column(result, "test"))
    assert figures(result)["promises"][0]["n_images"] == n
    assert any("no image is left that had no say" in line for line in result.warnings)
    assert not (result.folder / "reliability.csv").exists()
    (row,) = read_csv(result.folder / "detectors.csv")
    assert int(row["n_in"]) == len(column(result, "test"))


def test_training_images_alone_never_set_the_threshold(run):
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
    assert any("its features know that class" in line for line in result.warnings)
    with pytest.raises(ValueError, match="left_out_class='hela': expected one of astro, cort"):
        density(run, SETTINGS, left_out_class="hela")
