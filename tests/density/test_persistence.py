import json

import pytest
import torch
from flipped_bits import flip_bits
from safetensors.numpy import load_file, save_file
from safetensors.torch import safe_open

from cellxai.density.fitting import fit_density
from cellxai.density.p_values import Calibration
from cellxai.density.persistence import read_density, write_density
from cellxai.density.settings import PipelineSettings
from cellxai.files.digest import stop_vouching

SETTINGS = PipelineSettings(projection=2, n_components=(2,), covariance_types=("diag",), n_init=1)
X = torch.randn(40, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def path(tmp_path):
    """A file with a density and the scores of ten images."""
    fitted, _ = fit_density(X, None, SETTINGS, 0)
    calibration = Calibration(fitted.log_density(X[:10]), None, 12.5, 0)
    write_density(tmp_path / "d.safetensors", "cellxai.density", {"note": "µ"}, fitted, calibration)
    return tmp_path / "d.safetensors"


def rewrite(path, **changes):
    """Changes the header of a file."""
    with safe_open(path, framework="np") as file:
        header = json.loads(file.metadata()["cellxai.density"])
    stop_vouching(path)
    save_file(load_file(path), path, metadata={"cellxai.density": json.dumps(header | changes)})


def test_what_is_read_answers_bit_for_bit_as_what_was_written(path):
    settings, fitted, calibration = read_density(path, "cellxai.density", lambda header: header)
    expected, _ = fit_density(X, None, SETTINGS, 0)
    assert torch.equal(fitted.log_density(X), expected.log_density(X))
    assert torch.equal(fitted.fit_log_density, expected.fit_log_density)
    assert torch.equal(calibration.log_density, expected.log_density(X[:10]))
    assert (calibration.percent, calibration.n_folds, calibration.error) == (12.5, 0, None)
    assert settings["note"] == "µ"


def test_a_file_of_one_kind_is_not_read_as_another(path):
    with pytest.raises(ValueError, match=r"d\.safetensors: no density of places"):
        read_density(path, "cellxai.places", dict)


def test_a_file_of_another_version_is_refused_with_both(path):
    rewrite(path, version=99)
    with pytest.raises(ValueError, match=r"no density pipeline \(version 99, expected 1\)"):
        read_density(path, "cellxai.density", dict)


def test_a_mixture_that_is_not_finite_is_refused(path):
    arrays = load_file(path)
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
    arrays["log_shares"][:] = float("nan")
    save_file(arrays, path, metadata=metadata)
    stop_vouching(path)
    with pytest.raises(ValueError, match="at the mean of the features is nan"):
        read_density(path, "cellxai.density", dict)


def test_any_flipped_bit_is_found(path):
    for _ in flip_bits(path):
        with pytest.raises(ValueError, match=r"d\.safetensors: does not have the SHA-256"):
            read_density(path, "cellxai.density", dict)
