"""NaN and empty cells from a file to the scores of a saved mixture."""

import numpy as np
import pytest

from gmm.estimator import GaussianMixture
from gmm.files.matrices import read_matrix
from gmm.persistence import load
from gmm.verbs.fit import fit
from gmm.verbs.plot import plot
from gmm.verbs.score import score
from gmm.verbs.sweep import sweep


@pytest.fixture(params=[".csv", ".npy"])
def holed_file(request, holed, tmp_path):
    """Samples with missing values, empty cells in a table."""
    path = tmp_path / f"holed{request.param}"
    if request.param == ".npy":
        np.save(path, holed)
    else:
        rows = [
            ",".join("" if np.isnan(value) else repr(float(value)) for value in row)
            for row in holed
        ]
        path.write_text("a,b,c,d\n" + "\n".join(rows) + "\n")
    return path


def test_a_fit_and_its_scores_are_those_in_memory(holed_file, holed, tmp_path):
    fit(holed_file, tmp_path / "m.safetensors", n_components=2, missing="marginalize")
    expected = GaussianMixture(2, random_state=0, missing="marginalize").fit(holed)
    result = score(tmp_path / "m.safetensors", holed_file, tmp_path / "scores.npy")
    assert result.n_samples == len(holed)
    scores = read_matrix(tmp_path / "scores.npy")[:, 0]
    np.testing.assert_allclose(scores, expected.score_samples(holed), rtol=0, atol=1e-9)


def test_a_detector_has_its_threshold_from_samples_with_missing_values(holed_file, tmp_path):
    mixture = tmp_path / "m.safetensors"
    result = fit(holed_file, mixture, n_components=2, percent=10.0, missing="marginalize")
    assert result.threshold is not None
    flagged = score(mixture, holed_file, tmp_path / "scores.csv", holed_file, 10.0).n_flagged
    assert 0 < flagged < 60


def test_a_mixture_of_whole_samples_scores_others_when_told(holed_file, blobs, tmp_path):
    np.save(tmp_path / "x.npy", blobs)
    mixture, out = tmp_path / "m.safetensors", tmp_path / "scores.npy"
    fit(tmp_path / "x.npy", mixture, n_components=2)
    with pytest.raises(ValueError, match=r"x\[0, 0\] is NaN|row 4, column 4 is ''"):
        score(mixture, holed_file, out)
    score(mixture, holed_file, out, missing="marginalize")
    assert np.isfinite(read_matrix(out)).all()


def test_a_sweep_takes_them_too(holed_file, tmp_path):
    settings = {"max_components": 2, "n_init": 1, "covariance_types": ("full", "diag")}
    with pytest.raises(ValueError, match=r"x\[0, 0\] is NaN|row 4, column 4 is ''"):
        sweep(holed_file, tmp_path / "best.safetensors", **settings)
    sweep(holed_file, tmp_path / "best.safetensors", missing="marginalize", **settings)
    assert load(tmp_path / "best.safetensors").missing == "marginalize"


def test_a_plot_leaves_out_samples_with_missing_values(holed_file, holed, tmp_path):
    mixture, picture = tmp_path / "m.safetensors", tmp_path / "p.png"
    fit(holed_file, mixture, n_components=2, missing="marginalize")
    result = plot(mixture, holed_file, picture)
    assert picture.exists()
    n_holed = int(np.isnan(holed).any(1).sum())
    assert f"left out {n_holed} samples with missing values" in str(result)
    np.save(tmp_path / "empty.npy", np.full((3, 4), np.nan))
    with pytest.raises(ValueError, match="every one of 3 samples has missing values"):
        plot(mixture, tmp_path / "empty.npy", picture)
