"""Temperature scaling: one number that calibrates confidences and changes no prediction."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

N_STEPS = 200  # Newton's method needs about 10; bisection, its fallback, about 60
PRECISION = 1e-13  # relative change of β at which the search ends


def fit_temperature(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> float:
    """The T that minimises the cross-entropy of softmax(logits / T): arXiv:1706.04599, section 4.2.

    In β = 1/T the loss is convex, so Newton's method inside a bracket finds its only minimum.

    Args:
        logits: Logits of images that the network was not trained on and that are not judged.
        labels: True classes of the images.

    Raises:
        ValueError: If the loss has no minimum at a finite T.
    """
    wide = logits.double()
    check_minimum(wide, labels)
    low, high = 0.0, 1.0
    while slope_and_curvature(wide, labels, high)[0] < 0:
        low, high = high, 2 * high
    beta = (low + high) / 2
    for _ in range(N_STEPS):
        slope, curvature = slope_and_curvature(wide, labels, beta)
        low, high = (low, beta) if slope > 0 else (beta, high)
        newton = beta - slope / curvature if curvature > 0 else high
        following = newton if low < newton < high else (low + high) / 2
        if abs(following - beta) <= PRECISION * beta:
            break
        beta = following
    return 1 / beta


def check_minimum(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> None:
    """Refuses logits whose loss has no minimum, because it falls as T → 0 or as T → ∞.

    Raises:
        ValueError: If the loss has no minimum at a finite T.
    """
    chosen = logits.gather(-1, labels[:, None])[:, 0]
    if not (logits.amax(-1) > chosen).any():
        raise ValueError(
            f"all {len(labels)} are right, so that the likelihood grows as T falls to 0 and no "
            "temperature is best; pass images of which the network gets some wrong"
        )
    if slope_and_curvature(logits, labels, 0.0)[0] >= 0:
        raise ValueError(
            f"the logits of all {len(labels)} say nothing about their classes, so that the "
            "likelihood grows as T rises without limit and no temperature is best"
        )


def slope_and_curvature(
    logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"], beta: float
) -> tuple[float, float]:
    """First and second derivative of the mean cross-entropy of softmax(β · logits) in β.

    They are E[z] − z_label and Var[z], under the softmax, averaged over the images.
    """
    probabilities = (beta * logits).softmax(-1)
    mean = (probabilities * logits).sum(-1, keepdim=True)
    variance = (probabilities * (logits - mean).square()).sum(-1)
    slope = (mean - logits.gather(-1, labels[:, None])).mean()
    return float(slope), float(variance.mean())


def cross_entropy(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> float:
    """Mean negative log-likelihood in nats, in float64."""
    return float(torch.nn.functional.cross_entropy(logits.double(), labels))
