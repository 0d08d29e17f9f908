import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.exceptions import NotFittedError

from gmm.estimator import GaussianMixture
from gmm.persistence import atomic, load, save


@pytest.fixture
def saved(covariance_type, blobs, tmp_path):
    mixture = GaussianMixture(3, covariance_type=covariance_type, tol=1e-4, random_state=5)
    save(mixture.fit(blobs), tmp_path / "mixture.safetensors")
    return mixture, tmp_path / "mixture.safetensors"


def test_a_saved_mixture_comes_back_exactly(saved, blobs):
    mixture, path = saved
    loaded = load(path)
    assert loaded.get_params() == mixture.get_params()
    for name in ("weights_", "means_", "precisions_cholesky_", "precisions_", "covariances_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(mixture, name), name)
    for name in ("converged_", "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_"):
        assert getattr(loaded, name) == getattr(mixture, name)
    np.testing.assert_array_equal(loaded.score_samples(blobs), mixture.score_samples(blobs))
    np.testing.assert_array_equal(loaded.sample(9)[0], mixture.sample(9)[0])


def test_float32_and_tensors_come_back_in_their_precision(blobs, tmp_path):
    mixture = GaussianMixture(2).fit(torch.from_numpy(blobs).float())
    save(mixture, tmp_path / "single.safetensors")
    loaded = load(tmp_path / "single.safetensors")
    assert loaded.means_.dtype == np.float32
    np.testing.assert_array_equal(loaded.means_, mixture.means_)


@pytest.mark.parametrize("kept", [0, 5, 100, -8])
def test_a_truncated_file_is_an_error_of_one_line(saved, kept):
    _, path = saved
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"mixture\.safetensors: .*expected a \.safetensors"):
        load(path)


def test_garbage_and_foreign_files_are_errors_of_one_line(tmp_path):
    garbage = tmp_path / "garbage.safetensors"
    garbage.write_bytes(bytes(range(256)) * 10)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(2)}, foreign)
    edited = tmp_path / "edited.safetensors"
    save_file({"weight": torch.zeros(2)}, edited, metadata={"gmm": '{"format": "other"}'})
    for path in (garbage, foreign, edited):
        with pytest.raises(ValueError, match=path.name) as caught:
            load(path)
        assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.safetensors"):
        load(tmp_path / "none.safetensors")


def test_an_unfitted_mixture_is_not_saved(tmp_path):
    with pytest.raises(NotFittedError):
        save(GaussianMixture(), tmp_path / "mixture.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "value.txt"
    path.write_text("old")

    def interrupted():
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [file.name for file in tmp_path.iterdir()] == ["value.txt"]
    assert path.read_text() == "old"
