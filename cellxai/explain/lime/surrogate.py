"""The local linear model of LIME: weighted ridge, for all images and classes at once.

Everything is float64, whatever the model computes in: normal equations square the condition number,
and a surrogate of 50 superpixels costs nothing. Images with fewer superpixels than others are
padded with columns that are never shown, images with fewer samples with samples of weight 0.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

RIDGE = 1.0  # of the surrogate in the lime package


@dataclass(frozen=True)
class Evaluations:
    """Samples of all images with their scores: what a surrogate is fitted to.

    Args:
        masks: Which superpixels each sample shows.
        scores: Score of each sample and class.
        weights: What each sample counts: its locality, 0 for padding.
    """

    masks: Bool[Tensor, "b n s"]
    scores: Float[Tensor, "b n t"]
    weights: Float[Tensor, "b n"]


@dataclass(frozen=True)
class Surrogate:
    """Linear models of the scores, one per image and class.

    Args:
        coefficients: Change of the score when a superpixel is shown instead of hidden; 0 where it
            was not selected.
        intercept: Score when nothing is shown.
        local_prediction: Score when everything is shown.
        r2: Share of the scores' weighted variance that the model explains; NaN where the scores
            do not vary.
    """

    coefficients: Float[Tensor, "b t s"]
    intercept: Float[Tensor, "b t"]
    local_prediction: Float[Tensor, "b t"]
    r2: Float[Tensor, "b t"]


@dataclass(frozen=True)
class Moments:
    """Weighted second moments about the weighted means: all that selection and ridge need.

    Args:
        shown: Moments of the superpixels.
        cross: Moments of superpixels with scores.
        mean_shown: Mean of each superpixel.
        mean_scores: Mean of each score.
    """

    shown: Float[Tensor, "b s s"]
    cross: Float[Tensor, "b t s"]
    mean_shown: Float[Tensor, "b s"]
    mean_scores: Float[Tensor, "b t"]


def locality_weights(n_superpixels: int, kernel_width: float) -> Float[Tensor, " s_plus_1"]:
    """Weight of a sample that shows 0, 1, … all superpixels: sqrt(exp(−d²/width²)).

    d is the cosine distance to the whole image, 1 − √(shown/s), and 1 where nothing is shown.
    """
    share = torch.arange(n_superpixels + 1, dtype=torch.float64) / max(n_superpixels, 1)
    return (-((1 - share.sqrt()) / kernel_width).square()).exp().sqrt()


def weighted_moments(evaluations: Evaluations) -> Moments:
    """Weighted means, and sums of weighted products about them."""
    shown, share = evaluations.masks.double(), _shares(evaluations.weights)
    mean_shown, mean_scores = (share * shown).sum(1), (share * evaluations.scores).sum(1)
    centred = shown - mean_shown[:, None]
    weighted = (evaluations.weights[..., None] * centred).mT
    cross = weighted @ (evaluations.scores - mean_scores[:, None])
    return Moments(weighted @ centred, cross.mT, mean_shown, mean_scores)


def fit_surrogate(
    evaluations: Evaluations, selected: Bool[Tensor, "b t s"], ridge: float = RIDGE
) -> Surrogate:
    """Weighted ridge regression with an intercept on the selected superpixels.

    Args:
        evaluations: Samples and their scores.
        selected: The superpixels that may have a coefficient, for each class.
        ridge: Penalty of the squared coefficients.
    """
    moments = weighted_moments(evaluations)
    coefficients = ridge_coefficients(moments, selected, ridge)
    intercept = moments.mean_scores - (coefficients @ moments.mean_shown[..., None])[..., 0]
    predicted = intercept[:, None] + evaluations.masks.double() @ coefficients.mT
    local_prediction = intercept + coefficients.sum(-1)
    r2 = r2_score(evaluations.scores, predicted, evaluations.weights)
    return Surrogate(coefficients, intercept, local_prediction, r2)


def ridge_coefficients(
    moments: Moments, selected: Bool[Tensor, "b t s"], ridge: float
) -> Float[Tensor, "b t s"]:
    """Solves (A + ridge) β = c on the selected superpixels; the others get 0."""
    shown, cross = moments.shown, moments.cross
    identity = torch.eye(shown.shape[-1], dtype=shown.dtype, device=shown.device)
    if selected.all():  # one matrix serves all classes
        return torch.linalg.solve(shown + ridge * identity, cross.mT).mT
    both = selected[..., :, None] & selected[..., None, :]
    matrix = (
        torch.where(both, shown[:, None], 0)
        + identity * torch.where(selected, ridge, 1.0).to(shown)[..., None]
    )
    return torch.linalg.solve(matrix, torch.where(selected, cross, 0)[..., None])[..., 0]


def r2_score(
    scores: Float[Tensor, "b n t"],
    predicted: Float[Tensor, "b n t"],
    weights: Float[Tensor, "b n"],
) -> Float[Tensor, "b t"]:
    """Weighted R²; NaN where the scores vary by no more than their rounding."""
    share = _shares(weights)
    mean = (share * scores).sum(1, keepdim=True)
    variance = (share * (scores - mean).square()).sum(1)
    unexplained = (share * (scores - predicted).square()).sum(1)
    return torch.where(is_constant(scores), torch.nan, 1 - unexplained / variance)


def is_constant(scores: Float[Tensor, "b n t"]) -> Bool[Tensor, "b t"]:
    """Whether a score never changes by more than the rounding of single precision."""
    spread = scores.amax(1) - scores.amin(1)
    return spread <= 4 * torch.finfo(torch.float32).eps * scores.abs().amax(1)


def _shares(weights: Float[Tensor, "b n"]) -> Float[Tensor, "b n 1"]:
    """Each sample's share of the weight of its image."""
    return (weights / weights.sum(1, keepdim=True))[..., None]
