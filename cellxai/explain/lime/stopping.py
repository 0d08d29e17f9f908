"""When a ranking may be believed: the adaptive stop of LIME, and how stable a ranking is."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cellxai.explain.lime.surrogate import RIDGE, Evaluations, Surrogate, weighted_moments

DRAWS = 200  # the expected Jaccard index is then good to about 0.02


@dataclass(frozen=True)
class Stop:
    """Ends sampling when the highest superpixels would hardly change with more samples.

    After each round of the design the coefficients are drawn anew from their sampling distribution,
    by the multiplier bootstrap of the residuals: β + (1/√(1 − s/m)) Σ ε_j (A + ridge)⁻¹ g_j with
    standard normal ε and the scores g_j of the m independent units, which are samples or pairs of
    complements. The mean Jaccard index between the top k of β and those of the draws estimates the
    ``ranking_stability``: the index to expect against endlessly many samples. Sampling ends once it
    is high enough for every class asked for. It is a plug-in estimate that is looked at several
    times; ``scripts/bench_lime_designs.py`` measures how far it holds.

    Args:
        top_k: How many superpixels of largest absolute coefficient must stay.
        jaccard: Expected Jaccard index at which sampling ends, in (0, 1].
    """

    top_k: int = 5
    jaccard: float = 0.9

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise ValueError(f"top_k={self.top_k} ranks nothing; pass top_k>=1")
        if not 0 < self.jaccard <= 1:
            raise ValueError(f"jaccard={self.jaccard} is not a Jaccard index; pass 0<jaccard<=1")


def ranking_stability(
    evaluations: Evaluations,
    surrogate: Surrogate,
    paired: bool,
    top_k: int,
    generator: torch.Generator,
) -> Float[Tensor, "b t"]:
    """Jaccard index to expect between the top k now and those of endlessly many samples.

    0 while there are fewer than two independent units per superpixel: too few to know the spread.

    Args:
        evaluations: Samples and their scores.
        surrogate: The surrogate fitted to them.
        paired: Whether samples 1 and 2, 3 and 4, … are complements, hence not independent.
        top_k: How many superpixels are compared.
        generator: Draws the bootstrap.
    """
    influence = unit_influence(evaluations, surrogate, paired)
    n_units, n_superpixels = influence.shape[-2:]
    if n_units < 2 * n_superpixels:
        return torch.zeros_like(surrogate.r2)
    inflation = (1 - n_superpixels / n_units) ** -0.5
    noise = torch.randn(DRAWS, n_units, generator=generator, dtype=torch.float64)
    drawn = surrogate.coefficients[..., None, :] + inflation * noise.to(influence) @ influence
    return jaccard_of_top(surrogate.coefficients[..., None, :], drawn, top_k).mean(-1)


def unit_influence(
    evaluations: Evaluations, surrogate: Surrogate, paired: bool
) -> Float[Tensor, "b t u s"]:
    """What each independent unit added to the coefficients: (A + ridge)⁻¹ Σ w (z − z̄) r.

    The sum of squares over units is the sandwich covariance of the coefficients (Liang and Zeger
    1986). A pair of complements is one unit, so that what cancels within it counts as cancelled.
    """
    moments, shown = weighted_moments(evaluations), evaluations.masks.double()
    fitted = surrogate.intercept[:, None] + shown @ surrogate.coefficients.mT
    residuals = (evaluations.weights[..., None] * (evaluations.scores - fitted)).mT
    gradients = residuals[..., None] * (shown - moments.mean_shown[:, None])[:, None]
    if paired:
        first, rest = gradients[:, :, :1], gradients[:, :, 1:]
        rest = torch.nn.functional.pad(rest, (0, 0, 0, rest.shape[2] % 2))
        gradients = torch.cat([first, rest.unflatten(2, (-1, 2)).sum(3)], 2)
    identity = torch.eye(shown.shape[-1], dtype=torch.float64, device=shown.device)
    solved = torch.linalg.solve((moments.shown + RIDGE * identity)[:, None], gradients.mT)
    return solved.mT


def jaccard_of_top(
    a: Float[Tensor, "*a s"], b: Float[Tensor, "*b s"], k: int
) -> Float[Tensor, "*c"]:
    """Jaccard index between the k superpixels of largest absolute value in ``a`` and in ``b``."""
    both = (_top(a, k) & _top(b, k)).sum(-1).double()
    return both / (2 * min(k, a.shape[-1]) - both)


def _top(values: Float[Tensor, "*a s"], k: int) -> Bool[Tensor, "*a s"]:
    order = values.abs().topk(min(k, values.shape[-1])).indices
    return torch.zeros_like(values, dtype=torch.bool).scatter(-1, order, True)
