import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn.metrics import roc_auc_score

from cellxai.data.sartorius import Sartorius
from cellxai.data.synthetic import synthesize
from cellxai.density import Density, density
from cellxai.runfolder import read_csv, write_csv
from cellxai.training.trained import load_run
from gmm.persistence import load

SETTINGS = {"n_components": (1, 2), "covariance_types": ("diag", "spherical"), "percent": 30.0}


@pytest.fixture
def run(tiny_run, tmp_path) -> Path:
    """A copy of the trained run to write into."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture(scope="module")
def scored(tiny_run, tmp_path_factory) -> Density:
    """The density of the run, of unfamiliar images too."""
    folder = tmp_path_factory.mktemp("density")
    synthesize(folder / "spoiled", n_images=6, seed=1, height=64, width=64, spoiled=True)
    copy = Path(shutil.copytree(tiny_run, folder / "run"))
    return density(copy, **SETTINGS, unfamiliar={"spoiled": Sartorius(folder / "spoiled")})


def move_parts(run: Path, moves: dict[str, str]) -> None:
    """Gives the images of a part to another one."""
    rows = read_csv(run / "split.csv")
    write_csv(
        run / "split.csv", [row | {"part": moves.get(row["part"], row["part"])} for row in rows]
    )


def log_densities(found: Density, name: str) -> np.ndarray:
    """What ``scores.csv`` says of one set."""
    rows = read_csv(found.folder / "scores.csv")
    return np.array([float(row["log_density"]) for row in rows if row["set"] == name])


def summary(found: Density) -> dict:
    return json.loads((found.folder / "summary.json").read_text())


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_scores_are_those_of_the_saved_mixture_at_the_saved_projection(scored, part):
    projection = load_file(scored.folder / "projection.safetensors")
    features = load_run(scored.folder.parent).outputs(part)[1].double().numpy()
    points = (features - projection["mean"]) @ projection["axes"].T
    expected = load(scored.folder / "mixture.safetensors").score_samples(points)
    np.testing.assert_allclose(log_densities(scored, part), expected, rtol=0, atol=1e-6)


def test_every_image_of_every_set_has_a_row(scored):
    rows = read_csv(scored.folder / "scores.csv")
    split = read_csv(scored.folder.parent / "split.csv")
    own = {(row["id"], row["set"], row["label"]) for row in rows if row["set"] != "spoiled"}
    assert own == {(row["id"], row["part"], row["label"]) for row in split}
    assert sum(row["set"] == "spoiled" for row in rows) == 6


def test_the_threshold_is_the_percentile_of_the_held_out_scores(scored):
    held_out = log_densities(scored, "validation")
    expected = np.percentile(held_out, SETTINGS["percent"])
    assert scored.threshold.threshold_nats == pytest.approx(expected, abs=1e-6)
    told = summary(scored)
    assert (told["calibrated_on"], told["n_calibration"]) == ("validation", len(held_out))


def test_flagged_is_what_lies_below_the_threshold(scored):
    rows, threshold = read_csv(scored.folder / "scores.csv"), scored.threshold.threshold_nats
    for name, share in scored.share_flagged.items():
        flags = [int(row["unfamiliar"]) for row in rows if row["set"] == name]
        assert flags == list((log_densities(scored, name) < threshold).astype(int))
        assert share == pytest.approx(np.mean(flags))
        assert summary(scored)["sets"][name]["share_flagged"] == share


def test_the_auroc_is_that_of_unfamiliar_against_held_out_images(scored):
    known = np.r_[log_densities(scored, "validation"), log_densities(scored, "test")]
    other = log_densities(scored, "spoiled")
    truth = np.r_[np.zeros(len(known)), np.ones(len(other))]
    assert summary(scored)["auroc"] == {
        "spoiled": pytest.approx(roc_auc_score(truth, -np.r_[known, other]))
    }


def test_pictures_and_the_table_of_candidates_are_written(scored):
    for picture in ("histogram.png", "extremes.png"):
        assert (scored.folder / picture).read_bytes().startswith(b"\x89PNG")
    candidates = read_csv(scored.folder / "selection.csv")
    assert len(candidates) == 4
    best = min(candidates, key=lambda row: float(row["bic"]))
    told = summary(scored)
    assert (int(best["n_components"]), best["covariance_type"]) == (
        told["n_components"],
        told["covariance_type"],
    )


def test_the_same_seed_gives_the_same_scores(run, scored):
    density(run, **SETTINGS)
    again = read_csv(run / "density" / "scores.csv")
    before = read_csv(scored.folder / "scores.csv")
    assert again == [row for row in before if row["set"] != "spoiled"]


def test_without_validation_images_the_test_images_set_the_threshold(run):
    move_parts(run, {"validation": "train"})
    found = density(run, **SETTINGS)
    assert summary(found)["calibrated_on"] == "test"
    expected = np.percentile(log_densities(found, "test"), SETTINGS["percent"])
    assert found.threshold.threshold_nats == pytest.approx(expected, abs=1e-6)


def test_training_images_never_set_the_threshold(run):
    move_parts(run, {"validation": "train", "test": "train"})
    with pytest.raises(
        ValueError, match=r"every image was trained on.*--split\.validation_share"
    ) as caught:
        density(run, **SETTINGS)
    assert "\n" not in str(caught.value)
    assert not (run / "density").exists()


def test_too_few_images_for_a_percentile_or_a_mixture_are_warned_of(run):
    found = density(run, (6,), ("diag",), variance_share=0.99, percent=4.0)
    assert "the mixture memorises them" in found.warnings[0]
    assert "held-out images is less than one" in found.warnings[1]
    assert summary(found)["warnings"] == list(found.warnings)
    assert str(found).count("warning: ") == 2


def test_broken_images_of_another_set_are_told_one_by_one_and_the_rest_scored(run, tmp_path):
    synthesize(tmp_path / "other", n_images=6, seed=1, height=64, width=64)
    broken = sorted((tmp_path / "other" / "train").glob("*.png"))[:2]
    for path in broken:
        path.write_bytes(path.read_bytes()[:200])
    found = density(run, **SETTINGS, unfamiliar={"other": Sartorius(tmp_path / "other")})
    assert len(log_densities(found, "other")) == 4
    lines = [line for line in str(found).splitlines() if line.startswith("left out of other: ")]
    assert [path.stem in line for path, line in zip(broken, lines, strict=True)] == [True, True]
    assert summary(found)["faults"]["other"] == [str(fault) for fault in found.faults["other"]]


def test_another_set_without_a_readable_image_is_named(run, tmp_path):
    synthesize(tmp_path / "other", n_images=3, height=64, width=64)
    for path in (tmp_path / "other" / "train").glob("*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(ValueError, match="unfamiliar='other': none of 3 images can be read"):
        density(run, **SETTINGS, unfamiliar={"other": Sartorius(tmp_path / "other")})


def test_a_set_named_like_a_part_is_refused(run, tmp_path):
    others = Sartorius(tmp_path)
    with pytest.raises(ValueError, match=r"unfamiliar.*'train'"):
        density(run, **SETTINGS, unfamiliar={"train": others})


@pytest.mark.parametrize("share", [0.0, 1.0, 2.0])
def test_a_share_that_keeps_nothing_or_more_than_all_is_refused(run, share):
    with pytest.raises(ValueError, match=f"variance_share={share}"):
        density(run, variance_share=share)


@pytest.mark.parametrize("percent", [0.0, 100.0])
def test_a_percentile_outside_its_range_is_refused(run, percent):
    with pytest.raises(ValueError, match=f"percent={percent}"):
        density(run, (1,), ("diag",), percent=percent)
