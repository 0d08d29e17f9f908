import pytest
import torch

from gmm.covariance.products import ROWS_AT_A_TIME, multiply, pad_rows, unpad_rows


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_runs", range(2, 10))
def test_no_run_depends_in_its_last_bit_on_how_many_there_are(dtype, n_runs):
    source = torch.Generator().manual_seed(0)
    a = torch.randn(10, 1, 300, dtype=dtype, generator=source)
    b = torch.randn(300, 37, dtype=dtype, generator=source)
    for large in (b, b.T.contiguous().T):
        assert torch.equal(multiply(a[:n_runs], large), multiply(a, large)[:n_runs])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_of_few_samples_a_single_run_is_what_it_is_among_others(dtype):
    source = torch.Generator().manual_seed(0)
    a = torch.randn(10, 3, 50, dtype=dtype, generator=source)
    b = torch.randn(9, 50, dtype=dtype, generator=source).T
    for run in range(10):
        assert torch.equal(multiply(a[run : run + 1], b), multiply(a, b)[run : run + 1])


def test_runs_are_multiplied_one_by_one():
    source = torch.Generator().manual_seed(0)
    a = torch.randn(3, 5, 20, dtype=torch.float64, generator=source)
    b = torch.randn(20, 4, dtype=torch.float64, generator=source)
    product = multiply(a, b)
    assert product.shape == (3, 5, 4)
    torch.testing.assert_close(product, torch.einsum("rkn,nm->rkm", a, b))


@pytest.mark.parametrize("n_rows", [1, 4, 6])
def test_padding_adds_zeros_that_are_taken_off_again(n_rows):
    a = torch.randn(n_rows, 3)
    padded = pad_rows(a)
    assert len(padded) % ROWS_AT_A_TIME == 0
    assert (padded[n_rows:] == 0).all()
    assert torch.equal(unpad_rows(padded, torch.Size([n_rows])), a)
    assert torch.equal(pad_rows(a, n_runs=1, n_samples=1000), a)
    assert torch.equal(pad_rows(a, n_runs=1, n_samples=100), padded)
