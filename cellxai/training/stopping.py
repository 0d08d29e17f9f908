"""What ends a training before its last epoch: a signal, a loss that is not a number, a plateau."""

import os
import signal
import threading
from dataclasses import dataclass
from types import FrameType
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor

from cellxai.classifier.monitor import higher_is_better
from cellxai.data.loading.datamodule import CellImages

MOST_IDS = 64  # in an error's line; a batch is seldom larger
STEPS_BETWEEN_ASKING = 16  # the other processes whether one of them is to stop
STOPPING = b"\nfinishing the step and its checkpoint; once more to stop at once\n"


class Stopped(BaseException):
    """The run was asked to stop, and its last checkpoint is written."""


class StopRequest:
    """Whether Ctrl-C was pressed or the system asked the process to end (SIGTERM)."""

    def __init__(self) -> None:
        self.asked = False

    def listen(self) -> None:
        """Hears both signals from now on; Lightning puts back what it found, when the fit ends."""
        if threading.current_thread() is not threading.main_thread():
            return  # only there Python lets a signal be handled
        for number in (signal.SIGINT, signal.SIGTERM):
            # A run in the background of a shell is set to ignore Ctrl-C, and goes on doing so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self.hear)

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Notes the first signal, and at the second stops at once."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        os.write(2, STOPPING)  # unlike print, safe wherever the signal came in between

    def by_any(self, trainer: L.Trainer) -> bool:
        """Whether any of the processes that train together was asked: they stop at one step."""
        if trainer.world_size == 1:
            return self.asked
        return trainer.strategy.reduce_boolean_decision(self.asked, all=False)

    def by_any_within(self, trainer: L.Trainer) -> bool:
        """The same inside of an epoch, where several processes ask each other only now and then.

        To ask is to wait for the slowest of them, and for the GPU to finish what it was given.
        """
        if trainer.world_size > 1 and trainer.global_step % STEPS_BETWEEN_ASKING:
            return False
        return self.by_any(trainer)

    def answer(self) -> Stopped:
        """What to raise when the checkpoint is written."""
        return Stopped()


class NotFiniteError(ValueError):
    """The loss or a weight is infinite or not a number."""


@dataclass(frozen=True)
class CheckedLoss:
    """The loss of a step; whether it is a number may not be known yet.

    Args:
        finite: One truth value on the CPU.
        copied: When ``finite`` may be read; ``None`` for at once.
        value: The loss.
        where: Step, epoch and batch.
    """

    finite: Tensor
    copied: torch.cuda.Event | None
    value: Tensor
    where: tuple[int, int, int]

    @classmethod
    def of(cls, loss: Tensor, where: tuple[int, int, int]) -> "CheckedLoss":
        """Asks; on CUDA without waiting for the answer, which would leave the device idle."""
        finite = torch.isfinite(loss)
        if loss.device.type != "cuda":
            return cls(finite, None, loss, where)
        answer = torch.empty_like(finite, device="cpu", pin_memory=True)
        answer.copy_(finite, non_blocking=True)
        copied = torch.cuda.Event()
        copied.record()
        return cls(answer, copied, loss, where)

    def is_finite(self) -> bool:
        """The answer, waited for."""
        if self.copied is not None:
            self.copied.synchronize()
        return bool(self.finite)


class FiniteLoss(L.Callback):
    """Ends the training at the first loss that is not a number, before a checkpoint could hold it.

    On the CPU before the step is taken; on CUDA one step later at the most.

    Args:
        images: Knows which images were in a batch.
    """

    def __init__(self, images: CellImages) -> None:
        self.images = images
        self.latest: CheckedLoss | None = None
        self.frozen: set[str] = set()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Learns which weights stay what they are: a frozen backbone has many."""
        weights = pl_module.named_parameters()
        self.frozen = {name for name, weight in weights if not weight.requires_grad}

    def on_before_backward(
        self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor
    ) -> None:
        """Checks the loss of this batch, or on CUDA that of the one before."""
        self.check()
        batch = trainer.fit_loop.epoch_loop.batch_idx
        where = trainer.global_step, trainer.current_epoch, batch
        self.latest = CheckedLoss.of(loss.detach(), where)
        if self.latest.copied is None:
            self.check()

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Lets only a finite network be saved: a gradient may overflow where the loss did not."""
        self.check()
        learnt = {
            name: weight
            for name, weight in checkpoint["state_dict"].items()
            if name not in self.frozen and weight.is_floating_point()
        }
        finite = [torch.isfinite(weight).all() for weight in learnt.values()]
        answers = torch.stack(finite).tolist() if finite else []  # one wait for them all
        for name, is_finite in zip(learnt, answers, strict=True):
            if not is_finite:
                raise NotFiniteError(self.line(f"the weight {name} is not finite any more"))

    def check(self) -> None:
        """Raises an error where the loss of the latest batch is known and not finite."""
        if self.latest is not None and not self.latest.is_finite():
            raise NotFiniteError(self.line(f"the loss is {float(self.latest.value)}"))

    def line(self, what: str) -> str:
        """The error: where it happened, on which images, and what usually helps."""
        step, epoch, batch = self.latest.where if self.latest else (0, 0, 0)
        ids = self.images.train_ids(epoch, batch)
        more = f" and {len(ids) - MOST_IDS} more" if len(ids) > MOST_IDS else ""
        return (
            f"{what} at step {step} (batch {batch} of epoch {epoch}), on the images "
            f"{', '.join(ids[:MOST_IDS])}{more}; the checkpoints from before are kept. Lower "
            "training.optimiser.learning_rate, set training.gradient_clip, or pass "
            "training.precision=32-true, with another --run"
        )


class LastingEarlyStopping(EarlyStopping):
    """Early stopping that holds, too, for a run killed between its last epoch and its end."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stops a run that had stopped already; Lightning restores when, but not that."""
        if self.wait_count < self.patience:  # a run that is trained further has more
            self.stopped_epoch = 0
        if self.stopped_epoch > 0:
            trainer.should_stop = True

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes everything over but the patience, which the settings say."""
        super().load_state_dict({**state_dict, "patience": self.patience})


def build_early_stopping(monitor: str | None, patience: int | None) -> list[L.Callback]:
    """Stops after ``patience`` epochs without improvement; never without a validation part."""
    if monitor is None or patience is None:
        return []
    mode = "max" if higher_is_better(monitor) else "min"
    return [LastingEarlyStopping(monitor=monitor, mode=mode, patience=patience)]
