import pytest
import torch
from scipy.stats import spearmanr

from cellxai.explain.base import Attribution, Context
from cellxai.explain.metrics.agreement import (
    RankCorrelation,
    SignAgreement,
    TopKOverlap,
)
from cellxai.explain.superpixels.base import superpixel_means
from cellxai.explain.superpixels.methods import Grid

ALL = [RankCorrelation(), RankCorrelation("pixels"), TopKOverlap(3), SignAgreement()]


@pytest.fixture
def others():
    return torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(6))


@pytest.fixture
def tiles(images):
    """Sixteen superpixels in each image, four in the second."""
    labels = Grid(size_px=4).segment(images)
    labels[1] = Grid(size_px=8).segment(images)[1]
    return Context(labels, torch.zeros_like(images))


@pytest.mark.parametrize("similarity", ALL, ids=lambda s: s.name)
def test_a_map_agrees_with_itself_and_similarity_is_symmetric(similarity, values, others, tiles):
    first, second = Attribution(values), Attribution(others)
    assert similarity.between(first, first, tiles).tolist() == pytest.approx([1, 1, 1])
    forth, back = (similarity.between(*pair, tiles) for pair in ((first, second), (second, first)))
    torch.testing.assert_close(forth, back)
    low, high = similarity.range
    assert ((forth >= low) & (forth <= high)).all()


@pytest.mark.parametrize("similarity", ALL, ids=lambda s: s.name)
def test_a_degenerate_map_agrees_with_nothing(similarity, values, others, tiles):
    broken = others.clone()
    broken[0], broken[2, 1, 1] = 1.0, torch.nan
    actual = similarity.between(Attribution(values), Attribution(broken), tiles)
    assert actual.isnan().tolist() == [True, False, True]


def test_the_rank_correlation_is_that_of_scipy(values, others, tiles):
    pixels = RankCorrelation("pixels").between(Attribution(values), Attribution(others), tiles)
    means = RankCorrelation().between(Attribution(values), Attribution(others), tiles)
    sizes = RankCorrelation("pixels", absolute=True).between(
        Attribution(values), Attribution(others), tiles
    )
    for i, labels in enumerate(tiles.superpixels):
        a, b = values[i].flatten(), others[i].flatten()
        assert pixels[i].item() == pytest.approx(spearmanr(a, b).statistic, abs=1e-6)
        assert sizes[i].item() == pytest.approx(spearmanr(a.abs(), b.abs()).statistic, abs=1e-6)
        a, b = (superpixel_means(v[i], labels) for v in (values, others))
        assert means[i].item() == pytest.approx(spearmanr(a, b).statistic, abs=1e-6)


def test_overlap_and_signs_are_counted_in_superpixels(tiles):
    """Superpixels 0, 1, 2 against 1, 2, 3; and one of sixteen signs differs, one is 0."""
    a, b = torch.full((2, 16), -1.0)
    a[:3], b[1:4] = 1.0, 1.0
    labels = tiles.superpixels[:1]
    context = Context(labels, tiles.baseline[:1])
    first, second = Attribution(a[labels]), Attribution(b[labels])
    assert TopKOverlap(3).between(first, second, context).item() == pytest.approx(2 / 4)
    assert SignAgreement().between(first, second, context).item() == pytest.approx(14 / 16)
    b[5] = 0.0
    assert SignAgreement().between(first, Attribution(b[labels]), context).item() == 13 / 16


def test_images_of_fewer_superpixels_than_k_take_them_all(values, others, tiles):
    actual = TopKOverlap(10).between(Attribution(values), Attribution(others), tiles)
    assert actual[1] == 1
