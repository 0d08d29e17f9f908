import csv
import warnings
from pathlib import Path

import numpy as np
import pytest

from gmm.anomaly import density_threshold
from gmm.detector import DensityDetector
from gmm.estimator import GaussianMixture
from gmm.files.matrices import read_matrix
from gmm.persistence import load
from gmm.verbs.fit import fit
from gmm.verbs.plot import plot
from gmm.verbs.sample import sample
from gmm.verbs.score import score


def test_fit_then_score_then_sample_then_plot(folder, blobs):
    mixture = folder / "out" / "m.safetensors"
    fitted = fit(folder / "x.npy", mixture, n_components=3, n_init=2)
    assert fitted.n_samples == 225
    assert "3 full components on 225 x 4" in str(fitted)
    scored = score(
        mixture, folder / "x.npy", folder / "scores.csv", folder / "held_out.npy", percent=10.0
    )
    with (folder / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    log_densities = [float(row["log_density_nats"]) for row in rows]
    np.testing.assert_array_equal(log_densities, load(mixture).score_samples(blobs[::2]))
    assert sum(int(row["outlier"]) for row in rows) == scored.n_flagged
    assert f"{scored.n_flagged} flagged" in str(scored)
    sample(mixture, folder / "new.npy", n_samples=7)
    assert read_matrix(folder / "new.npy").shape == (7, 4)
    plot(mixture, folder / "x.npy", folder / "picture.png")
    assert (folder / "picture.png").exists()


def test_scores_without_held_out_samples_flag_nothing(folder):
    fit(folder / "x.npy", folder / "m.safetensors")
    scored = score(folder / "m.safetensors", folder / "x.npy", folder / "scores.npy")
    assert scored.threshold is None
    assert read_matrix(folder / "scores.npy").shape == (225, 2)


def outliers(path):
    with path.open() as file:
        return [int(row["outlier"]) for row in csv.DictReader(file)]


def test_a_threshold_saved_by_fit_flags_in_score_and_the_file_still_samples_and_plots(
    folder, blobs
):
    path, scores = folder / "detector.safetensors", folder / "scores.csv"
    fitted = fit(folder / "x.npy", path, n_components=2, percent=10)
    expected = DensityDetector(GaussianMixture(2, random_state=0), percent=10, random_state=0).fit(
        blobs[::2]
    )
    assert load(path).offset_ == expected.offset_
    assert "(10 % of 225 held-out samples)" in str(fitted)
    scored = score(path, folder / "held_out.npy", scores)
    assert outliers(scores) == (expected.predict(blobs[1::2]) == -1).astype(int).tolist()
    assert scored.threshold == fitted.threshold
    sample(path, folder / "new.npy", n_samples=7)
    plot(path, folder / "x.npy", folder / "picture.png")


def test_a_threshold_that_is_given_goes_before_the_one_in_the_file(folder, blobs):
    path, scores = folder / "detector.safetensors", folder / "scores.csv"
    fit(folder / "x.npy", path, percent=10)
    log_densities = load(path).score_samples(blobs[::2])
    scored = score(path, folder / "x.npy", scores, threshold_nats=-9.0)
    assert outliers(scores) == (log_densities < -9).astype(int).tolist()
    assert "outlier below -9 nats: " in str(scored)
    scored = score(path, folder / "x.npy", scores, folder / "held_out.npy")
    assert "(4 % of 225 held-out samples)" in str(scored)


def test_another_percentage_is_set_by_the_held_out_scores_in_the_file(folder, blobs):
    path, scores = folder / "detector.safetensors", folder / "scores.csv"
    fit(folder / "x.npy", path, percent=4)
    scored = score(path, folder / "x.npy", scores, percent=10.0)
    loaded = load(path)
    expected = density_threshold(loaded.held_out_scores_, 10.0)
    assert scored.threshold == str(expected) != str(loaded.threshold_)
    flagged = expected.flags(loaded.score_samples(blobs[::2]))
    assert outliers(scores) == flagged.astype(int).tolist()


def test_a_percentage_without_held_out_samples_is_refused(folder):
    path = folder / "m.safetensors"
    fit(folder / "x.npy", path)
    with pytest.raises(ValueError, match=r"percent=10 needs held-out samples.*pass held_out"):
        score(path, folder / "x.npy", folder / "scores.csv", percent=10.0)
    assert not (folder / "scores.csv").exists()


def test_too_few_held_out_samples_are_told_in_the_summaries(folder, blobs):
    path = folder / "m.safetensors"
    np.save(folder / "few.npy", blobs[1:41:2])
    line = "no outliers: 20 held-out samples cannot resolve 4 %; at least 24 can"
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*cannot resolve")
        fitted = fit(folder / "few.npy", path, percent=4)
    assert line in str(fitted).splitlines()
    scored = score(path, folder / "x.npy", folder / "scores.csv", folder / "few.npy")
    assert f"{line}: 0 flagged" in str(scored).splitlines()
    assert not any(outliers(folder / "scores.csv"))


@pytest.mark.parametrize("other", [{"held_out": Path("held_out.npy")}, {"percent": 4.0}])
def test_two_thresholds_at_once_are_refused(folder, other):
    fit(folder / "x.npy", folder / "m.safetensors")
    with pytest.raises(ValueError, match=r"threshold_nats=-9\.0, expected one of them"):
        score(
            folder / "m.safetensors", folder / "x.npy", folder / "scores.csv",
            threshold_nats=-9.0, **other,
        )  # fmt: skip
