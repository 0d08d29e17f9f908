"""What decides which epoch is the best, when training stops, and when the learning rate falls."""

from typing import Literal

Monitor = Literal[
    "validation_loss", "validation_accuracy", "validation_balanced_accuracy", "validation_macro_f1"
]


def higher_is_better(monitor: str) -> bool:
    """Whether more of it is better; of a loss less is."""
    return not monitor.endswith("_loss")
