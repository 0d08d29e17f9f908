import pytest
import torch

from cellxai.explain.lime.designs import OrthogonalArray
from cellxai.explain.lime.stopping import Stop, jaccard_of_top, ranking_stability, unit_influence
from cellxai.explain.lime.surrogate import (
    RIDGE,
    Evaluations,
    fit_surrogate,
    locality_weights,
    weighted_moments,
)


def simulated(seed, n=193, s=12, noise=1.0):
    """Samples of an array whose scores are linear in the superpixels, but for noise."""
    masks = OrthogonalArray().masks(n, locality_weights(s, 0.25), seed)
    beta = torch.arange(s, dtype=torch.float64) - 4
    error = torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    scores = (masks.double() @ beta + noise * error)[None, :, None]
    weights = locality_weights(s, 0.25)[masks.sum(1)][None]
    everything = torch.ones(1, 1, s, dtype=torch.bool)
    samples = Evaluations(masks[None], scores, weights)
    return samples, fit_surrogate(samples, everything), beta


@pytest.mark.parametrize("paired", [False, True])
def test_influence_is_the_sandwich_covariance(paired):
    samples, surrogate, _ = simulated(0)
    masks, scores, weights = samples.masks, samples.scores, samples.weights
    influence = unit_influence(samples, surrogate, paired)[0, 0]
    moments = weighted_moments(samples)
    inverse = torch.linalg.inv(moments.shown[0] + RIDGE * torch.eye(12))
    centred = masks[0].double() - moments.mean_shown[0]
    residuals = (
        scores[0, :, 0]
        - surrogate.intercept[0, 0]
        - masks[0].double() @ (surrogate.coefficients[0, 0])
    )
    gradients = (weights[0] * residuals)[:, None] * centred
    if paired:
        gradients = torch.cat([gradients[:1], gradients[1::2] + gradients[2::2]])
    expected = inverse @ gradients.T @ gradients @ inverse
    torch.testing.assert_close(influence.T @ influence, expected)


def test_expected_and_true_agreement_are_alike_over_many_draws():
    expected, true = [], []
    for seed in range(60):
        samples, surrogate, beta = simulated(seed, noise=6.0)
        generator = torch.Generator().manual_seed(seed)
        stable = ranking_stability(samples, surrogate, True, 5, generator)
        expected.append(stable.item())
        true.append(jaccard_of_top(surrogate.coefficients[0, 0], beta, 5).item())
    expected, true = torch.tensor(expected), torch.tensor(true)
    assert 0.3 < true.mean() < 0.8  # else the case would prove nothing
    assert (expected.mean() - true.mean()).abs() < 0.1


def test_an_exactly_linear_score_is_perfectly_stable():
    samples, surrogate, _ = simulated(0, noise=0.0)
    generator = torch.Generator().manual_seed(0)
    stable = ranking_stability(samples, surrogate, True, 2, generator)
    assert stable.item() == 1.0


def test_with_fewer_than_two_units_per_superpixel_nothing_is_claimed():
    samples, surrogate, _ = simulated(0, n=45)
    generator = torch.Generator().manual_seed(0)
    assert ranking_stability(samples, surrogate, True, 5, generator).item() == 0


def test_jaccard_counts_the_largest_absolute_values():
    a, b = torch.tensor([9.0, -8, 7, 1, 0]), torch.tensor([9.0, -8, 1, -7, 0])
    assert jaccard_of_top(a, b, 3).item() == pytest.approx(2 / 4)
    assert jaccard_of_top(a, a, 3).item() == 1
    assert jaccard_of_top(a, b, 50).item() == 1


@pytest.mark.parametrize(
    ("settings", "message"), [({"top_k": 0}, "top_k=0"), ({"jaccard": 1.5}, r"jaccard=1\.5")]
)
def test_a_stop_without_sense_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Stop(**settings)
