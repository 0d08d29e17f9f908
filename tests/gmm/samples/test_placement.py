import numpy as np
import pytest
import torch

from gmm import BayesianGaussianMixture, GaussianMixture, sweep
from gmm.samples.placement import read_device, read_dtype, to_tensor

VIEWS = {
    "rows from the end": lambda x: x[::-1],
    "columns from the end": lambda x: x[:, ::-1],
    "every second": lambda x: x[::2],
    "other bytes first": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "extended": lambda x: x.astype(np.longdouble),
    "half": lambda x: x.astype(np.float16),
    "columns first": np.asfortranarray,
}


def frozen(x):
    x = x.copy()
    x.flags.writeable = False
    return x


@pytest.mark.parametrize("view", [*VIEWS.values(), frozen], ids=[*VIEWS, "read-only"])
def test_an_array_in_any_layout_is_its_values(view, blobs):
    x = view(blobs)
    plain = np.array(x, dtype=np.float64, order="C")
    assert (to_tensor(x).double() == torch.from_numpy(plain)).all()
    expected = GaussianMixture(1).fit(plain)
    found = GaussianMixture(1, means_init=x[-1:]).fit(x, sample_weight=np.ones(len(x))[::-1])
    assert found.lower_bound_ == pytest.approx(expected.lower_bound_, abs=1e-9)
    np.testing.assert_allclose(expected.score_samples(x), expected.score_samples(plain))
    assert sweep(x, [1], ["full"], n_init=1).best.bic == pytest.approx(expected.bic(plain))
    chunked = GaussianMixture(1).fit([x[:200], x[200:]])
    assert chunked.lower_bound_ == pytest.approx(expected.lower_bound_, abs=1e-9)


def test_the_memory_of_an_ordinary_array_is_shared(blobs):
    assert to_tensor(blobs).data_ptr() == blobs.ctypes.data


def test_priors_in_any_layout_are_their_values(blobs):
    prior = blobs.mean(0)[::-1]
    found, expected = (
        BayesianGaussianMixture(1, mean_prior=values).fit(blobs).lower_bound_
        for values in (prior, prior.copy())
    )
    assert found == expected


@pytest.mark.parametrize("dtype", [torch.float32, np.float32, "float16", "double", 32])
def test_a_precision_that_cannot_be_is_refused_before_any_work(dtype, blobs):
    with pytest.raises(ValueError, match=r"dtype=.*expected 'float32' or 'float64'"):
        read_dtype(dtype)
    fitted = GaussianMixture(1).fit(blobs)
    for ask in (fitted.fit, fitted.predict, lambda x: fitted.fit([x])):
        fitted.set_params(dtype=dtype)
        with pytest.raises(ValueError, match="dtype="):
            ask(blobs)


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "meta:x", 7.5])
def test_a_device_that_is_not_there_is_one_line(device, blobs):
    for ask in (lambda: read_device(device), lambda: GaussianMixture(device=device).fit(blobs)):
        with pytest.raises(ValueError, match=r"device=.*cannot be used here") as raised:
            ask()
        assert "\n" not in str(raised.value)
