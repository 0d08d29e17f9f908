import numpy as np
import pytest
import torch

from gmm.validation import check_finite, check_weights, checked_tensor


def test_finite_samples_pass_even_if_their_sum_overflows():
    check_finite(torch.full((3, 2), 1e308, dtype=torch.float64))


def test_the_first_faults_are_named_and_the_rest_counted():
    x = torch.zeros(5, 2)
    x[1:] = torch.nan
    with pytest.raises(ValueError, match=r"x\[1, 0\] is NaN, .* and 5 more; expected finite"):
        check_finite(x)


@pytest.mark.parametrize("dtype", [torch.int64, torch.float16, torch.bfloat16, torch.bool])
def test_other_dtypes_become_float64(dtype):
    assert checked_tensor(torch.ones(2, 2, dtype=dtype)).dtype == torch.float64


@pytest.mark.parametrize("x", [torch.ones(3), torch.ones(0, 2), torch.ones(2, 2) * 1j])
def test_what_is_no_matrix_of_real_samples_is_refused(x):
    with pytest.raises(ValueError, match="expected real samples in rows"):
        checked_tensor(x)


def test_negative_weights_are_refused_even_if_they_sum_to_one():
    with pytest.raises(ValueError, match=r"least element -0\.5"):
        check_weights(torch.from_numpy(np.array([1.5, -0.5])))
