"""What training makes small: cross-entropy, with smoothed labels and mixed images if asked for."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
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
        F.cross_entropy(logits, given, class_weights, label_smoothing=label_smoothing)
        for given in (labels, partners)
    )
    return mixture.share * own + (1 - mixture.share) * other
