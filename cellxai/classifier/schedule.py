"""How the learning rate rises at the start and falls towards the end."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch.optim import Optimizer

from cellxai.classifier.optimiser import OptimiserSettings


def warm_up_factor(step: int, n_steps: int) -> float:
    """Share of the learning rate in a step counted from 0: 1/n, 2/n, … 1 (arXiv:1706.02677)."""
    return min(1.0, (step + 1) / n_steps) if n_steps else 1.0


def cosine_rate(epoch: int, n_epochs: int, highest: float, lowest: float) -> float:
    """Learning rate of an epoch counted from 0, along half a wave: arXiv:1608.03983 eq. 5."""
    falling = (1 + math.cos(math.pi * min(epoch / n_epochs, 1.0))) / 2
    return lowest + (highest - lowest) * falling


@dataclass(frozen=True)
class Progress:
    """Where a schedule is: all that it must remember from one epoch to the next.

    Args:
        rate: Learning rate of the layers next to the output, after the warm-up.
        best: Best value of the monitored figure so far.
        bad_epochs: Epochs since, or since the last reduction.
        cooldown: Epochs in which a bad one does not count yet.
    """

    rate: float
    best: float = math.inf
    bad_epochs: int = 0
    cooldown: int = 0


def advance(
    progress: Progress, value: float, settings: OptimiserSettings, higher_is_better: bool = False
) -> Progress:
    """The progress after an epoch of this value: the rate is cut once it stays on a plateau."""
    better = is_better(value, progress.best, settings.plateau_threshold, higher_is_better)
    best = value if better else progress.best
    if progress.cooldown:
        return replace(progress, best=best, bad_epochs=0, cooldown=progress.cooldown - 1)
    bad_epochs = 0 if better else progress.bad_epochs + 1
    if bad_epochs <= settings.plateau_patience:
        return replace(progress, best=best, bad_epochs=bad_epochs)
    reduced = max(progress.rate * settings.plateau_factor, settings.minimum_learning_rate)
    return Progress(min(progress.rate, reduced), best, 0, settings.plateau_cooldown)


def is_better(value: float, best: float, threshold: float, higher_is_better: bool) -> bool:
    """Whether a value is better than the best by a share of that, as torch's plateau has it."""
    return value > best * (1 + threshold) if higher_is_better else value < best * (1 - threshold)


class LearningRate:
    """Sets the learning rate of every step: schedule of the epoch × warm-up × factor of the layer.

    The warm-up is a function of the step and the cosine one of the epoch, so only the plateau has a
    state; a run resumed at any step has the rates of one that was never interrupted.

    Args:
        optimizer: Its groups hold ``layer_factor``; named as Lightning's learning rate monitor has
            it.
        settings: Settings of the optimiser.
        n_epochs: Length of the cosine.
        warm_up_steps: Steps of the linear rise.
        higher_is_better: Whether the monitored figure is to rise; a loss is to fall.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        settings: OptimiserSettings,
        n_epochs: int,
        warm_up_steps: int,
        higher_is_better: bool = False,
    ) -> None:
        self.optimizer = optimizer
        self.settings = settings
        self.n_epochs = n_epochs
        self.warm_up_steps = warm_up_steps
        self.higher_is_better = higher_is_better
        worst = -math.inf if higher_is_better else math.inf
        self.progress = Progress(settings.learning_rate, worst)

    def begin_epoch(self, epoch: int) -> None:
        """Sets the rate of an epoch counted from 0, where it does not depend on the losses.

        A run that is trained further than it was first asked to had the rate of a shorter wave.
        """
        if self.settings.schedule == "cosine" and epoch:
            self.progress = replace(self.progress, rate=self.cosine(epoch))

    def begin_step(self, step: int) -> None:
        """Gives each group its rate in a step counted from 0 over the whole training."""
        rate = self.progress.rate * warm_up_factor(step, self.warm_up_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["layer_factor"]

    def end_epoch(self, epoch: int, value: float) -> None:
        """Settles the rate of the epochs after this one, which had this monitored value."""
        settings = self.settings
        if settings.schedule == "plateau":
            self.progress = advance(self.progress, value, settings, self.higher_is_better)
        else:
            self.progress = replace(self.progress, rate=self.cosine(epoch + 1))

    def cosine(self, epoch: int) -> float:
        """Rate of an epoch along the wave."""
        settings = self.settings
        lowest = min(settings.minimum_learning_rate, settings.learning_rate)
        return cosine_rate(epoch, self.n_epochs, settings.learning_rate, lowest)

    def state_dict(self) -> dict[str, Any]:
        """The progress, for a checkpoint."""
        return asdict(self.progress)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues from a checkpoint."""
        self.progress = Progress(**state_dict)
