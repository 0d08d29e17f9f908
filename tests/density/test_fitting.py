from dataclasses import replace

import pytest
import torch

from cellxai.density.fitting import fit_density, sample_features
from cellxai.density.settings import PipelineSettings

SETTINGS = PipelineSettings(
    projection=None, n_components=(2,), covariance_types=("full",), n_init=1, per_class=True
)


@pytest.fixture(scope="module")
def features() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(90, 3, generator=generator, dtype=torch.float64) * 2 + 5


@pytest.fixture(scope="module")
def labels() -> torch.Tensor:
    """A class of 60 images and one of 30."""
    return torch.arange(90) // 60


def test_the_density_is_the_sum_over_the_classes_by_their_shares(features, labels):
    fitted, sweeps = fit_density(features, labels, SETTINGS, 0)
    assert len(sweeps) == len(fitted.mixtures) == 2
    torch.testing.assert_close(fitted.log_shares.exp(), torch.tensor([2 / 3, 1 / 3]).double())
    each = [
        mixture.score_samples(fitted.projection.points(features)) for mixture in fitted.mixtures
    ]
    expected = (each[0].exp() * 2 / 3 + each[1].exp() / 3).log()
    torch.testing.assert_close(fitted.log_density(features), expected)
    assert torch.equal(fitted.fit_log_density, fitted.log_density(features))


def test_the_mixture_with_the_fewest_images_a_component_decides(features, labels):
    fitted, _ = fit_density(features, labels, SETTINGS, 0)
    assert fitted.least_samples == pytest.approx(30 / 2)
    whole, _ = fit_density(features, labels, replace(SETTINGS, per_class=False), 0)
    assert whole.least_samples == pytest.approx(90 / 2)
    assert whole.classes is None


def test_drawn_features_have_the_mean_of_the_known_ones_and_the_seed_decides(features):
    fitted, _ = fit_density(features, None, replace(SETTINGS, per_class=False), 0)
    drawn = sample_features(fitted, 400, 1)
    tolerance = 4 * features.std(0) / 400**0.5
    assert ((drawn.mean(0) - features.mean(0)).abs() < tolerance).all()
    assert torch.equal(drawn, sample_features(fitted, 400, 1))
    assert not torch.equal(drawn, sample_features(fitted, 400, 2))
