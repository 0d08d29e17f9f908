import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from cellxai.adapters.second_run import RunDensity
from cellxai.data.pixels.corruptions import Darken
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.splits import SplitSettings
from cellxai.density import DensityPipeline, PipelineSettings
from cellxai.density.detectors import Detector, MaxSoftmax
from cellxai.files.folder import read_csv, write_csv
from cellxai.trained.run import load_run
from cellxai.verbs.density.summary import DensitySummary
from cellxai.verbs.density.verb import density
from cellxai.verbs.score.verb import score
from cellxai.verbs.synthesize import synthesize

SETTINGS = PipelineSettings(
    n_components=(1, 2), covariance_types=("diag", "spherical"), percent=30.0
)
COLUMNS = ("id", "set", "part", "label", "predicted", "log_density", "class_log_density",
           "reconstruction_error", "unfamiliar")  # fmt: skip


class FirstFeature(Detector):
    """A detector of one's own."""

    def fit(self, features, logits, labels) -> None:
        self.sign_ = 1.0

    def confidence(self, features, logits):
        return self.sign_ * features[:, 0]


@pytest.fixture
def run(tiny_run, tmp_path) -> Path:
    """A copy of the trained run to write into."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture(scope="module")
def scored(tiny_run, tmp_path_factory) -> DensitySummary:
    """The density of the run, of unfamiliar images too."""
    folder = tmp_path_factory.mktemp("density")
    synthesize(folder / "spoiled", n_images=6, seed=1, height=64, width=64, spoiled=True)
    copy = Path(shutil.copytree(tiny_run, folder / "run"))
    shutil.rmtree(copy / "density", ignore_errors=True)
    return density(
        copy,
        SETTINGS,
        unfamiliar={"spoiled": Sartorius(folder / "spoiled")},
        corruptions={"dark": Darken(5)},
        detectors={"mine": FirstFeature(), "max softmax": MaxSoftmax()},
    )


@pytest.fixture(scope="module")
def pixels(tmp_path_factory) -> DensitySummary:
    """The density of raw pixels, each image judged in turn."""
    folder = tmp_path_factory.mktemp("pixels")
    synthesize(folder / "cells", n_images=24, seed=2, height=64, width=64)
    return density(
        folder / "run",
        replace(SETTINGS, projection=2, n_components=(1,)),
        Sartorius(folder / "cells"),
        SplitSettings(validation_share=0.0, test_share=0.0),
        Transforms(image_size=(16, 16), clahe=False),
        folds=3,
        corruptions={"dark": Darken(5)},
        detectors={"mine": FirstFeature(), "max softmax": MaxSoftmax()},
    )


def move_parts(run: Path, moves: dict[str, str]) -> None:
    """Gives the images of a part to another one."""
    rows = read_csv(run / "split.csv")
    write_csv(
        run / "split.csv", [row | {"part": moves.get(row["part"], row["part"])} for row in rows]
    )


def column(found: DensitySummary, name: str, wanted: str = "log_density") -> np.ndarray:
    """What ``scores.csv`` says of one set."""
    rows = read_csv(found.folder / "scores.csv")
    return np.array([float(row[wanted]) for row in rows if row["set"] == name])


def summary(found: DensitySummary) -> dict:
    return json.loads((found.folder / "summary.json").read_text())


@pytest.mark.slow
@pytest.mark.renders
def test_a_corruption_at_every_severity_is_a_curve_of_five(run):
    found = density(run, SETTINGS, corruptions={"dim": Darken()}, every_severity=True, detectors={})
    assert [row.set for row in found.detector_results if row.detector == "density"] == [
        f"dim {level}" for level in range(1, 6)
    ]
    assert (found.folder / "severity.png").is_file()
    density(run, SETTINGS, corruptions={"dim": Darken()}, detectors={})
    assert not (found.folder / "severity.png").exists()


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


def test_every_image_of_every_set_has_a_row(scored):
    rows = read_csv(scored.folder / "scores.csv")
    assert tuple(rows[0])[: len(COLUMNS)] == COLUMNS
    split = read_csv(scored.folder.parent / "split.csv")
    own = {(row["id"], row["set"], row["label"]) for row in rows if row["part"] != "unfamiliar"}
    assert own == {(row["id"], row["part"], row["label"]) for row in split}
    roles = {"train": "fitted", "validation": "calibrating", "test": "judged"}
    assert {row["set"]: row["part"] for row in rows} == roles | {
        "spoiled": "unfamiliar", "dark": "unfamiliar"
    }  # fmt: skip
    assert sum(row["set"] == "spoiled" for row in rows) == 6
    assert {row["id"] for row in rows if row["set"] == "dark"} == {
        row["id"] for row in rows if row["set"] == "test"
    }


def test_predictions_are_the_classifiers(scored):
    run = load_run(scored.folder.parent)
    rows = [row for row in read_csv(scored.folder / "scores.csv") if row["set"] == "test"]
    predicted = run.outputs("test")[0].argmax(1)
    assert [row["predicted"] for row in rows] == [run.classes[int(k)] for k in predicted]


def test_the_threshold_is_set_by_the_validation_images_alone(scored):
    held_out = column(scored, "validation")
    expected = np.percentile(held_out, SETTINGS.percent, method="weibull")
    assert scored.threshold.threshold_nats == pytest.approx(expected, abs=1e-6)
    told = summary(scored)
    assert (told["calibrated_on"], told["n_calibration"]) == ("validation", len(held_out))
    gap = torch.tensor(column(scored, "train")).median() - torch.tensor(held_out).median()
    assert told["gap_nats"] == pytest.approx(float(gap), rel=1e-6)


def test_the_summary_tells_of_images_that_were_fitted_to_only_where_others_were_judged(
    scored, pixels
):
    assert "flagged: train " in str(scored)
    assert {"train", "out of fold"} <= {*pixels.share_flagged}
    assert "flagged: out of fold " in str(pixels)


def test_flagged_is_what_lies_below_the_threshold(scored):
    for name, share in scored.share_flagged.items():
        flags = column(scored, name, "unfamiliar")
        below = column(scored, name) < scored.threshold.threshold_nats
        assert list(flags) == list(below)
        assert share == pytest.approx(np.mean(flags))
        assert summary(scored)["sets"][name]["share_flagged"] == pytest.approx(share)


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
        assert summary(scored)["auroc"][strangers] == pytest.approx(float(row["auroc"]))


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


def test_pictures_and_tables_are_written(scored):
    for picture in ("histogram", "extremes", "gap", "projection", "selection", "detectors",
                    "reliability"):  # fmt: skip
        assert (scored.folder / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
    candidates = read_csv(scored.folder / "selection.csv")
    assert len(candidates) == 4
    best = min(candidates, key=lambda row: float(row["held_out"]))
    told = summary(scored)
    assert (int(best["n_components"]), best["covariance_type"]) == (
        told["n_components"],
        told["covariance_type"],
    )
    points = read_csv(scored.folder / "projection.csv")
    assert len(points) == len(read_csv(scored.folder / "scores.csv"))


@pytest.mark.slow
def test_what_is_left_of_an_earlier_call_is_removed(run, scored):
    shutil.copytree(scored.folder, run / "density", dirs_exist_ok=True)
    density(run, SETTINGS, detectors={})
    assert not (run / "density" / "detectors.csv").exists()


def test_the_same_seed_gives_the_same_scores(run, scored):
    found = density(run, SETTINGS, detectors={})
    np.testing.assert_array_equal(column(found, "test"), column(scored, "test"))


def test_in_turn_each_image_is_judged_by_a_threshold_and_a_fit_without_it(pixels):
    rows = read_csv(pixels.folder / "scores.csv")
    by_set = {name: {row["id"] for row in rows if row["set"] == name} for name in
              ("train", "out of fold", "dark")}  # fmt: skip
    assert len(by_set["train"]) == 24
    assert by_set["train"] == by_set["out of fold"] == by_set["dark"]
    told = read_csv(pixels.folder / "reliability.csv")
    at = next(row for row in told if float(row["nominal_percent"]) == SETTINGS.percent)
    assert float(at["measured_share"]) == pytest.approx(
        column(pixels, "out of fold", "unfamiliar").mean(), abs=1e-6
    )
    assert int(at["n"]) == 24
    assert summary(pixels)["calibrated_on"] == "out of fold"


def test_raw_pixels_need_no_classifier(pixels):
    rows = read_csv(pixels.folder / "scores.csv")
    assert {row["predicted"] for row in rows} == {""}
    detectors = {row["detector"] for row in read_csv(pixels.folder / "detectors.csv")}
    assert detectors == {"density", "reconstruction", "density + reconstruction", "mine"}
    for picture in ("clusters", "generated"):
        assert (pixels.folder / f"{picture}.png").read_bytes().startswith(b"\x89PNG")


def test_raw_pixels_are_not_written_into_the_folder_of_a_classifier(run):
    with pytest.raises(ValueError, match="holds a trained classifier"):
        density(run, SETTINGS, data=Sartorius(run))


def test_features_that_were_trained_are_not_dealt_into_folds(run):
    with pytest.raises(ValueError, match=r"folds=3: the network was trained.*train the head alone"):
        density(run, SETTINGS, folds=3)


def test_two_folds_cannot_both_judge_and_set_a_threshold(run):
    with pytest.raises(ValueError, match="folds=2: expected 3 or more"):
        density(run, SETTINGS, folds=2)


def test_without_validation_images_the_test_images_set_the_threshold(run):
    move_parts(run, {"validation": "train"})
    found = density(run, SETTINGS, detectors={})
    assert summary(found)["calibrated_on"] == "test"
    assert "no image is left" in found.warnings[-1]
    assert not (found.folder / "reliability.csv").exists()
    expected = np.percentile(column(found, "test"), SETTINGS.percent, method="weibull")
    assert found.threshold.threshold_nats == pytest.approx(expected, abs=1e-6)


def test_training_images_never_set_the_threshold(run):
    shutil.rmtree(run / "density", ignore_errors=True)
    move_parts(run, {"validation": "train", "test": "train"})
    with pytest.raises(
        ValueError, match=r"all \d+ images were trained on.*--split\.validation_share"
    ) as caught:
        density(run, SETTINGS)
    assert "\n" not in str(caught.value)
    assert not (run / "density").exists()


def test_too_few_images_for_a_percentile_or_a_mixture_are_warned_of(run):
    settings = PipelineSettings(
        projection=0.99, n_components=(6,), covariance_types=("diag",), percent=4.0
    )
    found = density(run, settings, detectors={})
    assert "the mixture memorises them" in found.warnings[0]
    assert "held-out samples cannot resolve 4 %; at least 24 can" in found.warnings[1]
    assert summary(found)["threshold_nats"] is None
    assert summary(found)["warnings"] == list(found.warnings)
    assert str(found).count("warning: ") == 2


@pytest.mark.slow
def test_a_class_that_is_left_out_is_fitted_by_nothing(run):
    found = density(run, SETTINGS, left_out_class="cort", detectors={})
    rows = read_csv(found.folder / "scores.csv")
    assert {row["label"] for row in rows if row["set"] == "class cort"} == {"cort"}
    assert "cort" not in {row["label"] for row in rows if row["set"] != "class cort"}
    held_out = {row["id"] for row in read_csv(run / "split.csv")
                if row["part"] != "train" and row["label"] == "cort"}  # fmt: skip
    assert {row["id"] for row in rows if row["set"] == "class cort"} == held_out
    assert "its features know that class" in found.warnings[-1]
    with pytest.raises(ValueError, match="left_out_class='hela': expected one of astro, cort"):
        density(run, SETTINGS, left_out_class="hela")


def test_a_mixture_per_class_reports_the_density_of_the_predicted_class(run):
    found = density(run, replace(SETTINGS, per_class=True, projection=1), detectors={})
    pipeline = DensityPipeline.load(found.folder / "pipeline.safetensors")
    logits, features = load_run(run).outputs("test")
    expected = pipeline.class_log_density(features.double(), logits.argmax(1))
    np.testing.assert_allclose(column(found, "test", "class_log_density"), expected, rtol=1e-8)
    assert {row["class"] for row in read_csv(found.folder / "selection.csv")} == {
        "astro", "cort", "shsy5y"
    }  # fmt: skip


@pytest.mark.slow
def test_another_layer_is_scored_alike_by_all_that_read_the_pipeline(run):
    layer = "backbone.blocks.1"
    found = density(run, replace(SETTINGS, layer=layer, projection=2), detectors={})
    trained = load_run(run, "cpu")
    told = {row["id"]: row for row in read_csv(found.folder / "scores.csv")}
    source = RunDensity(run)
    for index, record in enumerate(trained.images.records("test")):
        nats = source.log_density(trained.pixels("test", index)).item()
        assert nats == pytest.approx(float(told[record.id]["log_density"]), abs=1e-3, rel=1e-4)
    plates = trained.images.records("test")[0].path.parent
    score(run, str(plates), device="cpu")
    rows = read_csv(next(run.rglob("score/scores.csv")))
    assert len(rows) == 24
    for row in rows:
        same = told[Path(row["path"]).stem]
        assert float(row["log_density"]) == pytest.approx(float(same["log_density"]), abs=1e-3)
        assert (row["predicted"], row["unfamiliar"]) == (same["predicted"], same["unfamiliar"])


def test_broken_images_of_another_set_are_told_one_by_one_and_the_rest_scored(run, tmp_path):
    synthesize(tmp_path / "other", n_images=6, seed=1, height=64, width=64)
    broken = sorted((tmp_path / "other" / "train").glob("*.png"))[:2]
    for path in broken:
        path.write_bytes(path.read_bytes()[:200])
    others = {"other": Sartorius(tmp_path / "other")}
    found = density(run, SETTINGS, unfamiliar=others, detectors={})
    assert len(column(found, "other")) == 4
    lines = [line for line in str(found).splitlines() if line.startswith("left out of other: ")]
    assert [path.stem in line for path, line in zip(broken, lines, strict=True)] == [True, True]
    assert summary(found)["faults"]["other"] == [str(fault) for fault in found.faults["other"]]


def test_another_set_without_a_readable_image_is_named(run, tmp_path):
    synthesize(tmp_path / "other", n_images=3, height=64, width=64)
    for path in (tmp_path / "other" / "train").glob("*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(ValueError, match="unfamiliar='other': none of 3 images can be read"):
        density(run, SETTINGS, unfamiliar={"other": Sartorius(tmp_path / "other")})


def test_a_set_named_like_another_is_refused(run, tmp_path):
    with pytest.raises(ValueError, match=r"unfamiliar.*'train'"):
        density(run, SETTINGS, unfamiliar={"train": Sartorius(tmp_path)})
    with pytest.raises(ValueError, match=r"corruptions.*'dark'"):
        density(
            run, SETTINGS, unfamiliar={"dark": Sartorius(tmp_path)}, corruptions={"dark": Darken()}
        )
