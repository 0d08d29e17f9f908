"""How the learning rate rises at the start and falls towards the end."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch.optim import Optimizer

from cellxai.classifier.optimiser import OptimiserSettings

IMPROVEMENT = 1e-4  # a loss has to fall by this share to count as better, as torch's plateau has it


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
        best: Lowest loss so far.
        bad_epochs: Epochs since, or since the last reduction.
    """

    rate: float
    best: float = math.inf
    bad_epochs: int = 0


def advance(progress: Progress, loss: float, settings: OptimiserSettings) -> Progress:
    """The progress after an epoch with this loss: the rate is cut once it stays on a plateau."""
    if loss < progress.best * (1 - IMPROVEMENT):
        return replace(progress, best=loss, bad_epochs=0)
    if progress.bad_epochs < settings.plateau_patience:
        return replace(progress, bad_epochs=progress.bad_epochs + 1)
    reduced = max(progress.rate * settings.plateau_factor, settings.minimum_learning_rate)
    return replace(progress, rate=min(progress.rate, reduced), bad_epochs=0)


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
    """

    def __init__(
        self, optimizer: Optimizer, settings: OptimiserSettings, n_epochs: int, warm_up_steps: int
    ) -> None:
        self.optimizer = optimizer
        self.settings = settings
        self.n_epochs = n_epochs
        self.warm_up_steps = warm_up_steps
        self.progress = Progress(settings.learning_rate)

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

    def end_epoch(self, epoch: int, loss: float) -> None:
        """Settles the rate of the epochs after this one, which had this monitored loss."""
        settings = self.settings
        if settings.schedule == "plateau":
            self.progress = advance(self.progress, loss, settings)
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
