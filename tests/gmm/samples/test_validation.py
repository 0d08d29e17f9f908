import numpy as np
import pytest
import torch
from scipy.sparse import eye_array

from gmm.samples.validation import check_finite, check_matrix, validate_tensor


def test_finite_samples_pass_even_if_their_sum_overflows():
    check_finite(torch.full((3, 2), 1e308, dtype=torch.float64))


def test_the_first_faults_are_named_and_the_rest_counted():
    x = torch.zeros(5, 2)
    x[1:] = torch.nan
    with pytest.raises(ValueError, match=r"x\[1, 0\] is NaN, .* and 5 more; expected finite"):
        check_finite(x)


@pytest.mark.parametrize("dtype", [torch.int64, torch.float16, torch.bfloat16, torch.bool])
def test_other_dtypes_become_float64(dtype):
    assert validate_tensor(torch.ones(2, 2, dtype=dtype)).dtype == torch.float64


@pytest.mark.parametrize("x", [torch.ones(3), torch.ones(0, 2), torch.ones(2, 2) * 1j])
def test_what_is_no_matrix_of_real_samples_is_refused(x):
    with pytest.raises(ValueError, match="expected real samples in rows"):
        validate_tensor(x)


@pytest.mark.parametrize(
    "x",
    [
        [[1, 2.5], [True, 4]],
        np.array([[1, np.float32(2)], ["3.5", None]], dtype=object)[:, :1],
        np.ones((2, 3), dtype=np.uint8),
        np.empty((0, 3)),  # scikit-learn's own message is clear
        eye_array(3),
    ],
)
def test_numbers_of_any_kind_pass_and_so_does_what_scikit_learn_explains(x):
    check_matrix(x)


@pytest.mark.parametrize(
    ("x", "kind", "message"),
    [
        ([[1, 2], [3]], ValueError, "x is not a matrix, expected rows of equal length"),
        (np.ones((2, 2, 2)), ValueError, r"x has shape \(2, 2, 2\), expected samples in rows"),
        (np.array([[1, None]], dtype=object), TypeError, r"x\[0, 1\] is None, expected a number"),
        ([["a" * 500, "b"]], ValueError, r"x\[0, 0\] is 'aaa"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused_by_its_first_fault(x, kind, message):
    with pytest.raises(kind, match=message) as raised:
        check_matrix(x)
    assert "\n" not in str(raised.value)
