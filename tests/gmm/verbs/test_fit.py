import subprocess
import sys

import numpy as np
import pytest

from gmm.persistence import load
from gmm.verbs.fit import fit


def test_dtype_reaches_the_mixture(folder):
    fit(folder / "x.npy", folder / "m.safetensors", dtype="float32")
    assert load(folder / "m.safetensors").means_.dtype == np.float32


def test_importing_package_and_verbs_loads_no_torch():
    verbs = ", ".join(f"gmm.verbs.{verb}" for verb in ("fit", "sweep", "score", "sample", "plot"))
    code = f"import sys, gmm, {verbs}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_gmm_fit_reads_a_large_file_chunk_by_chunk(blobs, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", blobs)
    loaded = fit(tmp_path / "x.npy", tmp_path / "loaded.safetensors", n_components=3)
    monkeypatch.setattr("gmm.verbs.inputs.LARGEST_LOADED_BYTES", 1000)
    monkeypatch.setattr("gmm.verbs.fit.read_samples", None)
    read = fit(tmp_path / "x.npy", tmp_path / "read.safetensors", n_components=3)
    assert (read.n_samples, read.n_features) == (450, 4)
    assert read.lower_bound == pytest.approx(loaded.lower_bound, abs=1e-12)
    assert read.bic == pytest.approx(loaded.bic, rel=1e-12)
