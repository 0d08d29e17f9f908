import shutil
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
    assert detectors == {"density", "mine"}
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
def test_images_are_scored_alike_by_all_that_read_the_pipeline(run):
    result = density(run, SETTINGS, detectors={})
    trained = load_run(run, "cpu")
    row_of = {row["id"]: row for row in read_csv(result.folder / "scores.csv")}
    source = RunDensity(run)
    for index, record in enumerate(trained.images.records("test")):
        nats, log_p = source.log_density(trained.pixels("test", index)).item(), row_of[record.id]
        if float(log_p["log_p"]) < -3:  # in the tail, where the score is that of the verdict
            assert nats == pytest.approx(float(log_p["log_p"]), abs=1e-2, rel=1e-2)
    plates = trained.images.records("test")[0].path.parent
    score(run, str(plates), device="cpu")
    rows = read_csv(next(run.rglob("score/scores.csv")))
    assert len(rows) == 24
    judged = [row for row in rows if row_of[Path(row["path"]).stem]["part"] == "judged"]
    assert judged
    for row in judged:
        same = row_of[Path(row["path"]).stem]
        assert float(row["log_p"]) == pytest.approx(float(same["log_p"]), abs=1e-2)
        assert (row["predicted"], row["unfamiliar"]) == (same["predicted"], same["unfamiliar"])


@pytest.mark.parametrize("network", [True, False])
def test_without_settings_the_views_are_those_of_every_depth_or_of_pixels(run, tmp_path, network):
    if network:
        result = density(run, detectors={})
        assert {"tones", "pixels", "places of blocks.0", "blocks.4", "bn2", "logits"} < {
            *result.views
        }
    else:
        synthesize(tmp_path / "cells", n_images=12, height=64, width=64)
        data = Sartorius(tmp_path / "cells")
        result = density(tmp_path / "pixels", data=data, folds=3, detectors={})
        assert result.views == ("tones", "pixels")


def test_a_view_of_a_network_is_refused_for_raw_pixels(tmp_path):
    synthesize(tmp_path / "cells", n_images=12, height=64, width=64)
    with pytest.raises(ValueError, match="views='places': Places looks at a network"):
        density(tmp_path / "pixels", SETTINGS, data=Sartorius(tmp_path / "cells"), folds=3)


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
