import csv
import subprocess
import sys

import numpy as np
import pytest

from gmm import verbs
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
