import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cellxai.explain.lime.designs import (
    Antithetic,
    Bernoulli,
    Locality,
    OrthogonalArray,
    StratifiedSizes,
    size_probabilities,
)
from cellxai.explain.lime.surrogate import locality_weights

DESIGNS = [Bernoulli(), Antithetic(), OrthogonalArray(), StratifiedSizes(), Locality()]


def draw(design, n_samples=200, n_superpixels=13, seed=0):
    return design.masks(n_samples, locality_weights(n_superpixels, 0.25), seed)


@pytest.mark.parametrize("design", DESIGNS, ids=lambda d: type(d).__name__)
@settings(max_examples=20, deadline=None)
@given(n_samples=st.integers(2, 90), n_superpixels=st.integers(1, 30), seed=st.integers(0, 999))
def test_a_design_gives_what_was_asked_for(design, n_samples, n_superpixels, seed):
    masks = draw(design, n_samples, n_superpixels, seed)
    assert masks.shape == (n_samples, n_superpixels)
    assert masks.dtype == torch.bool
    assert masks[0].all()
    assert torch.equal(masks, draw(design, n_samples, n_superpixels, seed))


@pytest.mark.parametrize("design", DESIGNS, ids=lambda d: type(d).__name__)
def test_another_seed_draws_other_samples_and_every_superpixel_is_shown_half_the_time(design):
    assert not torch.equal(draw(design), draw(design, seed=1))
    shown = torch.stack([draw(design, seed=s)[1:].double().mean(0) for s in range(30)]).mean(0)
    sizes = torch.arange(14).double() / 13
    weights = torch.ones(14) if design.weighted else locality_weights(13, 0.25)
    expected = (size_probabilities(weights) * sizes).sum()
    torch.testing.assert_close(shown, expected.expand(13), rtol=0, atol=0.03)


def test_bernoulli_draws_what_the_package_draws():
    generator = np.random.RandomState(5)
    generator.randint(0, high=1000)  # the package's seed for the segmentation
    package = generator.randint(0, 2, 200 * 13).reshape(200, 13)
    assert np.array_equal(draw(Bernoulli(), seed=5)[1:].numpy(), package[1:])


@pytest.mark.parametrize("design", [Antithetic(), OrthogonalArray()])
def test_samples_of_a_paired_design_are_complements(design):
    rest = draw(design, n_samples=97)[1:]
    assert design.paired
    assert torch.equal(rest[0::2], ~rest[1::2])


@pytest.mark.parametrize("n_superpixels", [1, 3, 12, 33, 50])
def test_a_round_of_an_array_is_balanced_to_third_order(n_superpixels):
    design = OrthogonalArray()
    size = design.round_size(n_superpixels)
    masks = draw(design, 1 + 2 * size, n_superpixels, seed=3)[1:]
    for round_ in masks.split(size):
        signs = 2 * round_.long() - 1
        assert (signs.sum(0) == 0).all()
        assert torch.equal(signs.T @ signs, size * torch.eye(n_superpixels, dtype=torch.long))
        triples = torch.einsum("na,nb,nc->abc", signs, signs, signs)
        assert (triples == 0).all()  # fold-over: pairs are not mixed with singles
    assert not torch.equal(masks[:size], masks[size:])


def test_size_probabilities_are_binomial_weighted_by_locality():
    weights = locality_weights(4, 0.25)
    expected = weights * torch.tensor([1.0, 4, 6, 4, 1]).double()
    torch.testing.assert_close(size_probabilities(weights), expected / expected.sum())


def test_sizes_lie_at_even_quantiles():
    masks = draw(StratifiedSizes(), n_samples=1001, n_superpixels=20)[1:]
    counts = masks.sum(1).bincount(minlength=21).double() / 1000
    expected = size_probabilities(torch.ones(21))
    assert (counts.cumsum(0) - expected.cumsum(0)).abs().max() < 0.003


def test_locality_draws_more_of_what_the_kernel_favours():
    wide, narrow = (
        Locality().masks(1000, locality_weights(20, width), 0).sum(1).double().mean()
        for width in (9.0, 0.1)
    )
    assert wide < 10.5 < 12 < narrow
