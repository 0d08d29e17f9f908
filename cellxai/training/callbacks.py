"""What Lightning does beside training: a seed for every step, a row and a cost for every epoch."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch

from cellxai.files.folder import read_csv, read_json, write_csv, write_json
from cellxai.training.environment import total_seconds

METRICS = (
    "train_loss", "validation_loss", "train_accuracy", "validation_accuracy",
    "validation_balanced_accuracy", "validation_macro_f1",
)  # fmt: skip
RECORDED_EVERY_S = 2.0  # the cost of a run, while it trains


class StepSeed(L.Callback):
    """Seeds every batch by itself, so that the dropout of a resumed run is that of a whole one.

    Every epoch is not enough: loaders draw from the same generator, and not equally in both.

    Args:
        seed: Seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seeds torch by the seed of the run, the number of the batch and that of the process."""
        number = trainer.current_epoch * int(trainer.num_training_batches) + batch_idx
        words = np.random.SeedSequence([self.seed, number, trainer.global_rank]).generate_state(1)
        seed_torch(int(words[0]), pl_module.device)


def seed_torch(seed: int, device: torch.device) -> None:
    """``torch.manual_seed`` for the devices that a step draws on.

    That itself notes, with a stack trace each time, to seed the CUDA devices that may come yet: a
    millisecond, and a list that grows with every step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


class MetricsTable(L.Callback):
    """``metrics.csv``: one row per epoch, kept over a resume.

    Args:
        path: The table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Takes over the rows of the epochs that an earlier start finished."""
        # Not `on_fit_start`: the epoch of the checkpoint is not restored by then.
        earlier = read_csv(self.path) if self.path.exists() else []
        self.rows = [dict(row) for row in earlier if int(row["epoch"]) < trainer.current_epoch]

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Adds the row of this epoch."""
        seen: Mapping[str, torch.Tensor] = trainer.callback_metrics  # of all processes together
        row: dict[str, Any] = {"epoch": trainer.current_epoch}
        row |= {name: f"{float(seen[name]):.6g}" if name in seen else "" for name in METRICS}
        rates = [group["lr"] for group in trainer.optimizers[0].param_groups]
        row["learning_rate"] = f"{max(rates):.6g}"  # of the head; layers before it may learn slower
        self.rows.append(row)
        if trainer.is_global_zero:
            write_csv(self.path, self.rows)


class Stopwatch(L.Callback):
    """Keeps in ``environment.json`` what the training has cost so far, over all its starts.

    After an epoch, so that a start that is killed has counted all but its last seconds; not after
    each, since an epoch of a frozen backbone takes less time than a file that is safe on the disk.

    Args:
        path: The file, whose last entry of ``starts`` is this start.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begun = self.latest = self.recorded = time.perf_counter()
        self.epochs: dict[str, float] = {}

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begins to count an epoch."""
        self.latest = time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Counts the epoch: of one that was resumed, its rest."""
        now = time.perf_counter()
        self.epochs[str(trainer.current_epoch)] = round(now - self.latest, 2)
        if now - self.recorded >= RECORDED_EVERY_S:
            self.record(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Counts the last checkpoints."""
        self.record(trainer)

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Counts an epoch that was interrupted."""
        self.record(trainer)

    def record(self, trainer: L.Trainer) -> None:
        """Writes the seconds of this start and of its epochs, and the sum over all starts."""
        if not trainer.is_global_zero:
            return
        environment = read_json(self.path)
        seconds = round(time.perf_counter() - self.begun, 1)
        environment["starts"][-1] |= {"seconds": seconds, "epoch_seconds": self.epochs}
        write_json(self.path, {**environment, "seconds": total_seconds(environment["starts"])})
        self.recorded = time.perf_counter()
