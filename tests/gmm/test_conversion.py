import numpy as np
import pytest
import torch

from gmm.conversion import LARGEST_SEED, as_attribute, draw_seeds, read_rows, validate_samples
from gmm.estimator import GaussianMixture


def test_the_first_seeds_do_not_depend_on_how_many_there_are():
    many = draw_seeds(3, 20)
    assert draw_seeds(3, 5) == many[:5]
    assert draw_seeds(np.random.RandomState(3), 20) == many
    assert len(set(many)) == 20
    assert all(0 <= seed < LARGEST_SEED for seed in many)


@pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor])
def test_a_fit_sets_the_width_that_later_samples_need(convert):
    estimator = GaussianMixture()
    x = convert(np.zeros((5, 3), dtype=np.float32))
    assert validate_samples(estimator, x, fitting=True).dtype == x.dtype
    assert estimator.n_features_in_ == 3
    assert validate_samples(estimator, x[:1], fitting=False).shape == (1, 3)
    with pytest.raises(ValueError, match="2 features, but GaussianMixture is expecting 3"):
        validate_samples(estimator, x[:, :2], fitting=False)


def test_one_sample_has_no_variance_to_fit():
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        validate_samples(GaussianMixture(), np.zeros((1, 3)), fitting=True)


LAYOUTS = {
    "bytes in another order": lambda x: x.astype(">f8"),
    "columns first": np.asfortranarray,
    "rows from the end": lambda x: x[::-1],
    "read-only": lambda x: np.frombuffer(x.tobytes()).reshape(x.shape),
    "whole numbers": lambda x: x.astype(int),
    "objects": lambda x: x.astype(object),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("fitting", [True, False])
def test_rows_are_read_from_any_array(layout, fitting):
    estimator = GaussianMixture()
    estimator.n_features_in_ = 2
    x = layout(np.arange(6.0).reshape(3, 2))
    rows = read_rows(estimator, x, fitting=fitting)
    assert rows.dtype == torch.float64
    np.testing.assert_array_equal(rows, np.asarray(x, dtype=float))


def test_names_of_features_are_missed_in_plain_arrays_and_forgotten_by_a_fit_to_one():
    estimator, x = GaussianMixture(), np.ones((3, 2))
    read_rows(estimator, x, fitting=True)
    estimator.feature_names_in_ = np.array(["a", "b"])  # as after a fit to a frame
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        read_rows(estimator, x, fitting=False)
    read_rows(estimator, x, fitting=True)
    assert not hasattr(estimator, "feature_names_in_")


def test_arrays_of_another_width_or_without_rows_are_refused():
    estimator = GaussianMixture()
    read_rows(estimator, np.ones((3, 2)), fitting=True)
    with pytest.raises(ValueError, match="3 features, but GaussianMixture is expecting 2"):
        read_rows(estimator, np.ones((3, 3)), fitting=False)
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        read_rows(estimator, np.ones((0, 2)), fitting=False)
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        read_rows(estimator, np.ones((1, 2)), fitting=True)


def test_an_attribute_is_a_tensor_for_tensors_and_an_array_for_arrays():
    values = torch.tensor([1.5, -2.0])
    assert as_attribute(values, as_tensor=True) is values
    array = as_attribute(values, as_tensor=False)
    assert isinstance(array, np.ndarray)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, [1.5, -2.0])
