import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_density import SETTINGS, column, figures

from cellxai.adapters.second_run import RunDensity
from cellxai.data.pixels.corruptions import Darken
from cellxai.data.readers.sartorius import Sartorius
from cellxai.files.folder import read_csv
from cellxai.trained.run import load_run
from cellxai.verbs.density.verb import density
from cellxai.verbs.score.verb import score
from cellxai.verbs.synthesize import synthesize


@pytest.mark.slow
def test_what_is_left_of_an_earlier_call_is_removed(run, scored):
    shutil.copytree(scored.folder, run / "density", dirs_exist_ok=True)
    density(run, SETTINGS, detectors={})
    assert not (run / "density" / "detectors.csv").exists()


def test_the_same_seed_gives_the_same_scores(run, scored):
    result = density(run, SETTINGS, detectors={})
    np.testing.assert_array_equal(column(result, "test"), column(scored, "test"))


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


@pytest.mark.slow
def test_another_layer_is_scored_alike_by_all_that_read_the_pipeline(run):
    layer = "backbone.blocks.1"
    result = density(run, replace(SETTINGS, layer=layer, projection=2), detectors={})
    trained = load_run(run, "cpu")
    row_of = {row["id"]: row for row in read_csv(result.folder / "scores.csv")}
    source = RunDensity(run)
    for index, record in enumerate(trained.images.records("test")):
        nats = source.log_density(trained.pixels("test", index)).item()
        assert nats == pytest.approx(float(row_of[record.id]["log_density"]), abs=1e-3, rel=1e-4)
    plates = trained.images.records("test")[0].path.parent
    score(run, str(plates), device="cpu")
    rows = read_csv(next(run.rglob("score/scores.csv")))
    assert len(rows) == 24
    for row in rows:
        same = row_of[Path(row["path"]).stem]
        assert float(row["log_density"]) == pytest.approx(float(same["log_density"]), abs=1e-3)
        assert (row["predicted"], row["unfamiliar"]) == (same["predicted"], same["unfamiliar"])


def test_broken_images_of_another_set_are_told_one_by_one_and_the_rest_scored(run, tmp_path):
    synthesize(tmp_path / "other", n_images=6, seed=1, height=64, width=64)
    broken = sorted((tmp_path / "other" / "train").glob("*.png"))[:2]
    for path in broken:
        path.write_bytes(path.read_bytes()[:200])
    others = {"other": Sartorius(tmp_path / "other")}
    result = density(run, SETTINGS, unfamiliar=others, detectors={})
    assert len(column(result, "other")) == 4
    lines = [line for line in str(result).splitlines() if line.startswith("left out of other: ")]
    assert [path.stem in line for path, line in zip(broken, lines, strict=True)] == [True, True]
    assert figures(result)["faults"]["other"] == [str(fault) for fault in result.faults["other"]]


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
