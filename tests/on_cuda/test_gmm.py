"""Mixtures on CUDA are those on the CPU."""

from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from gmm import BayesianGaussianMixture, Chunks, DensityDetector, GaussianMixture, sweep
from gmm.options import CovarianceType

pytestmark = pytest.mark.filterwarnings("ignore:the best of")  # no fit here has to converge


def overlapping(n_samples: int = 400, n_features: int = 4) -> Tensor:
    """Samples of three Gaussians near enough to share them."""
    source = np.random.default_rng(0)
    centres = 1.5 * source.normal(size=(3, n_features))
    of = source.integers(3, size=n_samples)
    return torch.from_numpy(centres[of] + source.normal(size=(n_samples, n_features)))


def with_gaps() -> Tensor:
    x = overlapping(120)
    x[::3, 1] = torch.nan
    x[1::5, 2:] = torch.nan
    return x


def assert_close(there: Tensor, here: Tensor, dtype: torch.dtype = torch.float64) -> None:
    loss = {torch.float64: 1e-9, torch.float32: 2e-5}[dtype]
    torch.testing.assert_close(there.cpu(), here, rtol=loss, atol=loss, check_device=False)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("covariance_type", get_args(CovarianceType))
def test_a_fit_climbs_as_on_the_cpu(covariance_type: CovarianceType, dtype: torch.dtype) -> None:
    x = overlapping().to(dtype)
    settings = {"covariance_type": covariance_type, "n_init": 2, "random_state": 0}
    here = GaussianMixture(3, **settings).fit(x)
    there = GaussianMixture(3, **settings).fit(x.cuda())
    assert there.means_.is_cuda
    assert there.n_iter_ == here.n_iter_
    assert_close(there.means_, here.means_, dtype)
    assert_close(there.score_samples(x.cuda()), here.score_samples(x), dtype)
    assert torch.equal(there.predict(x.cuda()).cpu(), here.predict(x))
    assert_close(there.predict_proba(x.cuda()), here.predict_proba(x), dtype)


@pytest.mark.parametrize("covariance_type", get_args(CovarianceType))
def test_missing_values_are_marginalised_as_on_the_cpu(covariance_type: CovarianceType) -> None:
    x = with_gaps()
    settings = {"covariance_type": covariance_type, "missing": "marginalize", "random_state": 0,
                "max_iter": 3, "tol": 0.0}  # fmt: skip
    here = GaussianMixture(2, **settings).fit(x)
    there = GaussianMixture(2, **settings).fit(x.cuda())
    assert_close(there.means_, here.means_)
    assert_close(there.score_samples(x.cuda()), here.score_samples(x))


def test_variational_bayes_is_that_of_the_cpu() -> None:
    x = overlapping()
    here = BayesianGaussianMixture(4, random_state=0, max_iter=20).fit(x)
    there = BayesianGaussianMixture(4, random_state=0, max_iter=20).fit(x.cuda())
    assert_close(there.means_, here.means_)
    assert_close(there.weights_, here.weights_)


def test_a_sweep_chooses_as_on_the_cpu() -> None:
    x = overlapping(200)
    here, there = (
        sweep(samples, (2, 3), ("full", "spherical"), n_init=2, n_folds=2, max_iter=5)
        for samples in (x, x.cuda())
    )
    for mine, other in zip(there.rows, here.rows, strict=True):
        assert (mine.n_iter, mine.n_failed) == (other.n_iter, other.n_failed)
        assert mine.bic == pytest.approx(other.bic, rel=1e-9)
        assert mine.held_out == pytest.approx(other.held_out, rel=1e-9)
    assert there.best.n_components == here.best.n_components


def test_a_stream_of_arrays_is_fitted_on_the_device_as_on_the_cpu() -> None:
    chunks = Chunks(np.array_split(overlapping().numpy(), 3))
    here = GaussianMixture(3, random_state=0).fit(chunks)
    there = GaussianMixture(3, random_state=0, device="cuda").fit(chunks)
    np.testing.assert_allclose(there.means_, here.means_, rtol=1e-9)


def test_a_threshold_is_that_of_the_cpu() -> None:
    x = overlapping()
    detector = DensityDetector(GaussianMixture(2, random_state=0), random_state=0)
    here = detector.fit(x).threshold_nats_
    assert detector.fit(x.cuda()).threshold_nats_ == pytest.approx(here, rel=1e-9)


def test_draws_are_those_of_the_cpu() -> None:
    x = overlapping()
    here = GaussianMixture(2, random_state=0).fit(x).sample(20)[0]
    assert_close(GaussianMixture(2, random_state=0).fit(x.cuda()).sample(20)[0], here)


@pytest.mark.parametrize("covariance_type", get_args(CovarianceType))
def test_a_fit_keeps_its_digits_where_tensor_cores_and_autocast_are_on(
    covariance_type: CovarianceType,
) -> None:
    x = overlapping().float().cuda()
    mixture = GaussianMixture(3, covariance_type=covariance_type, random_state=0, max_iter=5)
    plain = mixture.fit(x).lower_bounds_
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        with torch.autocast("cuda", torch.bfloat16):
            assert mixture.fit(x).lower_bounds_ == plain
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False


@pytest.fixture
def _only_repeatable():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("_only_repeatable")
@pytest.mark.parametrize("covariance_type", get_args(CovarianceType))
def test_a_fit_needs_nothing_that_cuda_cannot_repeat(covariance_type: CovarianceType) -> None:
    x = overlapping(100).cuda()
    mixture = GaussianMixture(3, covariance_type=covariance_type, random_state=0, max_iter=2)
    mixture.fit(x, sample_weight=torch.ones(100)).predict(x)
    GaussianMixture(2, missing="marginalize", random_state=0, max_iter=2).fit(with_gaps().cuda())


@pytest.mark.usefixtures("_only_repeatable")
@pytest.mark.parametrize("prior", ["dirichlet_process", "dirichlet_distribution"])
def test_variational_bayes_needs_nothing_that_cuda_cannot_repeat(prior: str) -> None:
    x = overlapping(100)
    settings = {"weight_concentration_prior_type": prior, "random_state": 0, "max_iter": 3}
    here = BayesianGaussianMixture(3, **settings).fit(x)
    assert_close(BayesianGaussianMixture(3, **settings).fit(x.cuda()).weights_, here.weights_)
