"""The moving average of the weights over the steps, judged and kept in the place of the last."""

import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class MovingAverage(WeightAveraging):
    """Averages weights and running statistics exponentially (arXiv:1703.01780 section 2).

    Validation judges the average, and the checkpoints hold it as the weights of the network; what
    training goes on from lies beside it. The decay rises to its value, so that the average of a
    short run is not mostly the weights that it began with.

    Args:
        decay: Share of the average that a step keeps.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        super().__init__(multi_avg_fn=self.average)

    def average(self, averaged: list[Tensor], current: list[Tensor], n_steps: Tensor) -> None:
        """Moves the averages, after ``n_steps`` steps, towards the current values in place."""
        if averaged[0].is_floating_point():
            move_towards(averaged, current, n_steps, self.decay)
        else:  # BatchNorm counts its batches
            torch._foreach_copy_(averaged, current)  # pyright: ignore


def move_towards(
    averaged: list[Tensor], current: list[Tensor], n_steps: Tensor, decay: float
) -> None:
    """Moves the averages in place; on a GPU without waiting for the number of steps."""
    if n_steps.device.type == "cpu":
        weight = 1 - decay_at(int(n_steps), decay)
        torch._foreach_lerp_(averaged, current, weight)  # pyright: ignore
        return
    share = 1 - ((1 + n_steps) / (10 + n_steps).double()).clamp(max=decay)
    steps = torch._foreach_sub(current, averaged)  # pyright: ignore
    torch._foreach_mul_(steps, share.to(averaged[0].dtype))  # pyright: ignore
    torch._foreach_add_(averaged, steps)  # pyright: ignore


def decay_at(n_steps: int, decay: float) -> float:
    """Share that a step keeps: 2/11, 3/12, 4/13, … up to ``decay``."""
    return min(decay, (1 + n_steps) / (10 + n_steps))


def build_moving_average(decay: float | None) -> list[MovingAverage]:
    """The callback, where there is a decay."""
    return [] if decay is None else [MovingAverage(decay)]
