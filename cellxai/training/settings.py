"""How a classifier is trained, apart from its network and its data."""

from dataclasses import dataclass, field
from typing import Literal

import torch

from cellxai.classifier.module import ClassWeights, OptimiserSettings

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class TrainingSettings:
    """How a classifier is trained.

    Args:
        epochs: Passes over the training images at most.
        batch_size: Images per step.
        class_weights: "balanced" weights each class by the inverse of its count.
        early_stopping_patience: Stops after so many epochs without a better loss; null: never.
        optimiser: AdamW and its learning rate.
        device: "auto" takes a CUDA device when there is one.

    Raises:
        ValueError: If a number is not positive.
    """

    epochs: int = 30
    batch_size: int = 16
    class_weights: ClassWeights = "none"
    early_stopping_patience: int | None = 5
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    device: Device = "auto"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"training.{name}={getattr(self, name)}: expected at least 1")


def choose_device(wanted: Device) -> torch.device:
    """The device to compute on.

    Raises:
        ValueError: If CUDA is asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError("device=cuda, but torch sees no CUDA device here; pass device=auto or cpu")
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wanted)


def device_name(device: torch.device) -> str:
    """A device in words, for the record."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} (CUDA {torch.version.cuda})"
    return f"CPU, {torch.get_num_threads()} threads"
