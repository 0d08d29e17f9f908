import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gmm import verbs
from gmm.anomaly import density_threshold
from gmm.detector import DensityDetector
from gmm.estimator import GaussianMixture
from gmm.matrices import read_matrix
from gmm.persistence import load


@pytest.fixture
def folder(blobs, tmp_path):
    """A folder with samples to fit and samples held out."""
    np.save(tmp_path / "x.npy", blobs[::2])
    np.save(tmp_path / "held_out.npy", blobs[1::2])
    return tmp_path


def test_fit_then_score_then_sample_then_plot(folder, blobs):
    mixture = folder / "out" / "m.safetensors"
    fitted = verbs.fit(folder / "x.npy", mixture, n_components=3, n_init=2)
    assert fitted.n_samples == 225
    assert "3 full components on 225 x 4" in str(fitted)
    scored = verbs.score(
        mixture, folder / "x.npy", folder / "scores.csv", folder / "held_out.npy", percent=10.0
    )
    with (folder / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    log_densities = [float(row["log_density_nats"]) for row in rows]
    np.testing.assert_array_equal(log_densities, load(mixture).score_samples(blobs[::2]))
    assert sum(int(row["outlier"]) for row in rows) == scored.n_flagged
    assert f"{scored.n_flagged} flagged" in str(scored)
    verbs.sample(mixture, folder / "new.npy", n_samples=7)
    assert read_matrix(folder / "new.npy").shape == (7, 4)
    verbs.plot(mixture, folder / "x.npy", folder / "picture.png")
    assert (folder / "picture.png").exists()


def test_scores_without_held_out_samples_flag_nothing(folder):
    verbs.fit(folder / "x.npy", folder / "m.safetensors")
    scored = verbs.score(folder / "m.safetensors", folder / "x.npy", folder / "scores.npy")
    assert scored.threshold is None
    assert read_matrix(folder / "scores.npy").shape == (225, 2)


def outliers(path):
    with path.open() as file:
        return [int(row["outlier"]) for row in csv.DictReader(file)]


def test_a_threshold_saved_by_fit_flags_in_score_and_the_file_still_samples_and_plots(
    folder, blobs
):
    path, scores = folder / "detector.safetensors", folder / "scores.csv"
    fitted = verbs.fit(folder / "x.npy", path, n_components=2, percent=10)
    expected = DensityDetector(GaussianMixture(2, random_state=0), percent=10, random_state=0).fit(
        blobs[::2]
    )
    assert load(path).offset_ == expected.offset_
    assert "(10 % of 225 held-out samples)" in str(fitted)
    scored = verbs.score(path, folder / "held_out.npy", scores)
    assert outliers(scores) == (expected.predict(blobs[1::2]) == -1).astype(int).tolist()
    assert scored.threshold == fitted.threshold
    verbs.sample(path, folder / "new.npy", n_samples=7)
    verbs.plot(path, folder / "x.npy", folder / "picture.png")


def test_a_threshold_that_is_given_goes_before_the_one_in_the_file(folder, blobs):
    path, scores = folder / "detector.safetensors", folder / "scores.csv"
    verbs.fit(folder / "x.npy", path, percent=10)
    log_densities = load(path).score_samples(blobs[::2])
    scored = verbs.score(path, folder / "x.npy", scores, threshold_nats=-9.0)
    assert outliers(scores) == (log_densities < -9).astype(int).tolist()
    assert "outlier below -9 nats: " in str(scored)
    scored = verbs.score(path, folder / "x.npy", scores, folder / "held_out.npy")
    assert "(4 % of 225 held-out samples)" in str(scored)


def test_another_percentage_is_set_by_the_held_out_scores_in_the_file(folder, blobs):
    path, scores = folder / "detector.safetensors", folder / "scores.csv"
    verbs.fit(folder / "x.npy", path, percent=4)
    scored = verbs.score(path, folder / "x.npy", scores, percent=10.0)
    loaded = load(path)
    expected = density_threshold(loaded.held_out_scores_, 10.0)
    assert scored.threshold == str(expected) != str(loaded.threshold_)
    flagged = expected.flags(loaded.score_samples(blobs[::2]))
    assert outliers(scores) == flagged.astype(int).tolist()


def test_a_percentage_without_held_out_samples_is_refused(folder):
    path = folder / "m.safetensors"
    verbs.fit(folder / "x.npy", path)
    with pytest.raises(ValueError, match=r"percent=10 needs held-out samples.*pass held_out"):
        verbs.score(path, folder / "x.npy", folder / "scores.csv", percent=10.0)
    assert not (folder / "scores.csv").exists()


def test_too_few_held_out_samples_are_told_in_the_summaries(folder, blobs):
    path = folder / "m.safetensors"
    np.save(folder / "few.npy", blobs[1:41:2])
    line = "no outliers: 20 held-out samples cannot resolve 4 %; at least 24 can"
    with pytest.warns(UserWarning, match="cannot resolve"):
        fitted = verbs.fit(folder / "few.npy", path, percent=4)
    assert line in str(fitted).splitlines()
    scored = verbs.score(path, folder / "x.npy", folder / "scores.csv", folder / "few.npy")
    assert f"{line}: 0 flagged" in str(scored).splitlines()
    assert not any(outliers(folder / "scores.csv"))


@pytest.mark.parametrize("other", [{"held_out": Path("held_out.npy")}, {"percent": 4.0}])
def test_two_thresholds_at_once_are_refused(folder, other):
    verbs.fit(folder / "x.npy", folder / "m.safetensors")
    with pytest.raises(ValueError, match=r"threshold_nats=-9\.0, expected one of them"):
        verbs.score(
            folder / "m.safetensors", folder / "x.npy", folder / "scores.csv",
            threshold_nats=-9.0, **other,
        )  # fmt: skip


def test_sweep_saves_winner_table_and_picture(folder):
    found = verbs.sweep(
        folder / "x.npy",
        folder / "best.safetensors",
        max_components=3,
        covariance_types=("full", "diag"),
        n_init=2,
        table=folder / "table.csv",
        picture=folder / "bic.png",
    )
    assert load(folder / "best.safetensors").n_components == found.n_components
    assert len((folder / "table.csv").read_text().splitlines()) == 7
    assert "best BIC" in str(found)
    assert (folder / "bic.png").exists()


def test_rank_reaches_the_mixture_and_the_winner_of_a_sweep(folder):
    shape = {"covariance_type": "low_rank", "rank": 2}
    verbs.fit(folder / "x.npy", folder / "m.safetensors", n_components=2, **shape)
    verbs.sweep(
        folder / "x.npy",
        folder / "best.safetensors",
        max_components=2,
        covariance_types=("low_rank",),
        n_init=1,
        rank=3,
    )
    assert load(folder / "m.safetensors").loadings_.shape == (2, 4, 2)
    assert load(folder / "best.safetensors").loadings_.shape[1:] == (4, 3)


def test_the_same_seed_draws_the_same_samples(folder):
    verbs.fit(folder / "x.npy", folder / "m.safetensors", n_components=2)
    for name in ("a.csv", "b.csv"):
        verbs.sample(folder / "m.safetensors", folder / name, seed=4)
    assert (folder / "a.csv").read_bytes() == (folder / "b.csv").read_bytes()


def test_dtype_reaches_the_mixture(folder):
    verbs.fit(folder / "x.npy", folder / "m.safetensors", dtype="float32")
    assert load(folder / "m.safetensors").means_.dtype == np.float32


def test_a_wrong_name_for_the_mixture_is_refused_before_the_work(folder):
    with pytest.raises(ValueError, match=r"expected a name that ends in \.safetensors"):
        verbs.fit(folder / "nothing.npy", folder / "m.pkl")


def test_importing_package_and_verbs_loads_no_torch():
    code = "import sys, gmm, gmm.verbs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
