import copy

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from gmm import BayesianGaussianMixture, DensityDetector, GaussianMixture, sweep
from gmm.precision import full_precision


@pytest.fixture(scope="module")
def x():
    return torch.randn(400, 8, generator=torch.Generator().manual_seed(0))


ANSWERS = {
    "fit": lambda x: GaussianMixture(2, random_state=0).fit(x).lower_bounds_,
    "Bayes": lambda x: BayesianGaussianMixture(2, tol=9.0, random_state=0).fit(x).lower_bounds_,
    "stepwise": lambda x: GaussianMixture().partial_fit(x[:200]).partial_fit(x[200:]).means_,
    "scores": lambda x: GaussianMixture().fit(x).score_samples(x),
    "probabilities": lambda x: GaussianMixture(2, random_state=0).fit(x).predict_proba(x),
    "sample": lambda x: GaussianMixture(2, random_state=0).fit(x).sample(5)[0],
    "module": lambda x: GaussianMixture().fit(x).as_module()(x),
    "condition": lambda x: GaussianMixture().fit(x).as_module().condition([0], [1.0]).means,
    "sweep": lambda x: sweep(x, [2], ["tied"], n_init=2).best.bic,
    "detector": lambda x: DensityDetector(random_state=0).fit(x).threshold_nats_,
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_autocast_and_short_products_around_it_change_nothing(answer, x):
    plain = torch.as_tensor(answer(x))
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = torch.as_tensor(answer(x))
            assert torch.is_autocast_enabled("cpu")
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert mixed.dtype == plain.dtype
    assert (mixed == plain).all()


def test_what_was_switched_on_is_on_again_after_an_error():
    @full_precision()
    def fail():
        assert not torch.is_autocast_enabled("cpu")
        raise KeyError

    with torch.autocast("cpu", dtype=torch.bfloat16):
        with pytest.raises(KeyError):
            fail()
        assert torch.is_autocast_enabled("cpu")


def test_warnings_point_to_the_line_that_fits(x):
    with pytest.warns(ConvergenceWarning) as raised:
        GaussianMixture(3, max_iter=1, tol=0.0).fit(x)
    assert raised[0].filename == __file__
    with pytest.warns(UserWarning, match="memorised") as raised:
        sweep(x[:20], [1], ["full"], n_init=1)
    assert raised[0].filename == __file__
    with pytest.warns(UserWarning, match="cannot resolve") as raised:
        DensityDetector(random_state=0).fit(x[:15])
    assert raised[0].filename == __file__


FITS = {
    "fit": lambda x: GaussianMixture(2, random_state=0).fit(x),
    "weights": lambda x: GaussianMixture().fit(x, sample_weight=x[:, 0].abs()),
    "means": lambda x: GaussianMixture(2, means_init=x[:2], max_iter=0, random_state=0).fit(x),
    "chunks": lambda x: GaussianMixture().fit([x[:200], x[200:]]),
    "Bayes": lambda x: BayesianGaussianMixture(2, tol=9.0, mean_prior=x[0], random_state=0).fit(x),
    "stepwise": lambda x: GaussianMixture().partial_fit(x[:200]).partial_fit(x[200:]),
    "sweep": lambda x: sweep(x, [2], ["full"], n_init=1).winner,
    "detector": lambda x: DensityDetector(random_state=0).fit(x).mixture_,
}


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_a_fit_to_samples_that_require_grad_keeps_no_graph(fit, x):
    mixture, detached = fit(x.clone().requires_grad_()), fit(x)
    kept = [value for name, value in vars(mixture).items() if name.endswith("_")]
    assert not any(value.requires_grad for value in kept if isinstance(value, torch.Tensor))
    assert mixture.score(x.numpy()) == detached.score(x.numpy())
    assert mixture.bic(x.clone().requires_grad_()) == pytest.approx(detached.bic(x), rel=1e-6)
    assert np.isfinite(mixture.means_.numpy()).all()
    copy.deepcopy(kept)


@pytest.fixture
def _switches():
    """What the switches of float32 products say, put back at the end."""
    products = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)
    before = [switch.fp32_precision for switch in products]
    yield
    torch.backends.fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")
    for switch, precision in zip(products, before, strict=True):
        switch.fp32_precision = precision


@pytest.mark.usefixtures("_switches")
def test_short_products_everywhere_by_one_switch_change_nothing(x):
    plain = ANSWERS["fit"](x)
    torch.backends.cuda.matmul.fp32_precision = "none"
    torch.backends.fp32_precision = "tf32"  # now torch.get_float32_matmul_precision is an error
    assert ANSWERS["fit"](x) == plain
    assert torch.backends.cuda.matmul.fp32_precision == "tf32"


@pytest.mark.usefixtures("_switches")
def test_exact_products_asked_for_again_stay_exact(x):
    torch.set_float32_matmul_precision("high")
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    ANSWERS["scores"](x)
    assert torch.backends.cuda.matmul.fp32_precision == "ieee"
