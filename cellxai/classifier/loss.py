"""What training makes small: cross-entropy, with smoothed labels and mixed images if asked for."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Int64
from torch import Tensor


@dataclass(frozen=True)
class LossSettings:
    """The loss in training; validation is always judged on unmixed images and hard labels.

    Args:
        label_smoothing: Share of each label that is spread over all classes (arXiv:1512.00567
            section 7).
        mixup_alpha: Images of a batch are mixed in pairs, and so are their losses, by a share
            from Beta(alpha, alpha) (arXiv:1710.09412); 0 for none, 0.2 is usual. With a frozen
            backbone it is features that are mixed (arXiv:1806.05236). The training accuracy then
            counts the image with the larger share.

    Raises:
        ValueError: If a number is out of its range.
    """

    label_smoothing: float = 0.0
    mixup_alpha: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing={self.label_smoothing}: expected a share below 1")
        if self.mixup_alpha < 0:
            raise ValueError(f"mixup_alpha={self.mixup_alpha}: expected 0 for none, or more")


@dataclass(frozen=True)
class Mixture:
    """How the images of a batch are mixed.

    Args:
        partners: The image that each is mixed with.
        share: Share of the image itself, at least one half; the rest is its partner's.
    """

    partners: Int64[Tensor, " b"]
    share: float


def draw_mixture(n_images: int, alpha: float) -> Mixture:
    """Pairs and their share, from torch's own generator, which the run seeds before each step.

    A share below one half is turned round: as every pairing is as likely as its inverse, the mixed
    images have the same distribution, and each keeps the label that it has most of.
    """
    share = torch.distributions.Beta(alpha, alpha).sample().item()
    return Mixture(torch.randperm(n_images), max(share, 1 - share))


def mix(inputs: Float[Tensor, "b *shape"], mixture: Mixture) -> Float[Tensor, "b *shape"]:
    """Each input with its partner's share: arXiv:1710.09412 eq. 1."""
    partners = inputs[mixture.partners.to(inputs.device)]
    return partners.lerp(inputs, mixture.share)


def cross_entropy(
    logits: Float[Tensor, "b k"],
    labels: Int[Tensor, " b"],
    class_weights: Float[Tensor, " k"] | None = None,
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Mean over the images, each weighted by its own class.

    torch weights every term of a smoothed label by the class of that term instead, so that a rare
    class's share of a common image's label outweighs the label itself: the loss is then least where
    every common image is called rare.
    """
    if class_weights is None or not label_smoothing:
        return F.cross_entropy(logits, labels, class_weights, label_smoothing=label_smoothing)
    of_images = F.cross_entropy(logits, labels, reduction="none", label_smoothing=label_smoothing)
    weights = class_weights[labels]
    return (weights * of_images).sum() / weights.sum()


def total_weight(
    labels: Int[Tensor, " b"], class_weights: Float[Tensor, " k"] | None
) -> float | Float[Tensor, ""]:
    """What the mean over these images was divided by: it weighs their batch in that of an epoch."""
    # A float: Lightning averages the counts of the devices, and a whole number such as the 2.5 of
    # three images here and two there would be cut to 2, and the loss 5/4 of itself.
    return float(len(labels)) if class_weights is None else class_weights[labels].sum()


def mixed_cross_entropy(
    logits: Float[Tensor, "b k"],
    labels: Int64[Tensor, " b"],
    mixture: Mixture,
    class_weights: Float[Tensor, " k"] | None,
    label_smoothing: float,
) -> Float[Tensor, ""]:
    """Loss of mixed images: that of either label, by its share."""
    partners = labels[mixture.partners.to(labels.device)]
    own, other = (
        cross_entropy(logits, given, class_weights, label_smoothing) for given in (labels, partners)
    )
    return mixture.share * own + (1 - mixture.share) * other
