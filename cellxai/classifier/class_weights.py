"""How much the images of each class count in the loss."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

ClassWeights = Literal["none", "balanced"] | dict[str, float] | list[float]


def balanced_weights(labels: Int[Tensor, " n"], n_classes: int) -> Float[Tensor, " k"]:
    """Weights inverse to the class counts, mean 1 over the samples: scikit-learn's "balanced"."""
    counts = torch.bincount(labels, minlength=n_classes).clamp(min=1)
    return len(labels) / (n_classes * counts.float())


def choose_weights(
    wanted: ClassWeights, labels: Int[Tensor, " n"], classes: Sequence[str]
) -> Float[Tensor, " k"] | None:
    """The weight of each class; ``None`` for equal ones.

    Args:
        wanted: As in the settings.
        labels: Of the training images.
        classes: Names of the classes, in the order of the logits.

    Raises:
        ValueError: If the weights are not of these classes.
    """
    if wanted == "none":
        return None
    if wanted == "balanced":
        return balanced_weights(labels, len(classes))
    if isinstance(wanted, dict):
        if {*wanted} != {*classes}:
            raise ValueError(
                f"training.class_weights names {', '.join(sorted(wanted)) or 'no class'}; expected "
                f"a weight for each of {', '.join(classes)}"
            )
        return torch.tensor([float(wanted[name]) for name in classes])
    if len(wanted) != len(classes):
        raise ValueError(
            f"training.class_weights has {len(wanted)} weights, expected {len(classes)}, in the "
            f"order of {', '.join(classes)}"
        )
    return torch.tensor([float(weight) for weight in wanted])


def check_weights(wanted: ClassWeights) -> None:
    """Raises ``ValueError`` for a weight that is not a number above 0."""
    if isinstance(wanted, str):
        return
    for weight in wanted.values() if isinstance(wanted, dict) else wanted:
        if not 0 < weight < math.inf:
            raise ValueError(f"training.class_weights has {weight}: expected a number above 0")
