"""What Lightning does beside training: checkpoints that are whole or absent, one row per epoch."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from cellxai.runfolder import RunFolder, atomic, read_csv, read_json, write_csv, write_json
from cellxai.training.environment import total_seconds

METRICS = (
    "train_loss", "validation_loss", "train_accuracy", "validation_accuracy",
)  # fmt: skip


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its target and renames it.

    Lightning's own write goes through the system's temporary folder and is a plain copy where that
    lies on another file system: a kill in between leaves half a file under the final name.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Saves whole or not at all."""
        with atomic(Path(path)) as temporary:
            torch.save(checkpoint, temporary)


class StepSeed(L.Callback):
    """Seeds every step by itself, so that the dropout of a resumed run is that of a whole one.

    Every epoch is not enough: loaders draw from the same generator, and not equally in both.

    Args:
        seed: Of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seeds torch by the seed of the run and the number of the step alone."""
        words = np.random.SeedSequence([self.seed, trainer.global_step]).generate_state(1)
        torch.manual_seed(int(words[0]))


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
        seen: Mapping[str, torch.Tensor] = trainer.callback_metrics
        row: dict[str, Any] = {"epoch": trainer.current_epoch}
        row |= {name: f"{float(seen[name]):.6g}" if name in seen else "" for name in METRICS}
        row["learning_rate"] = f"{trainer.optimizers[0].param_groups[0]['lr']:.6g}"
        self.rows.append(row)
        write_csv(self.path, self.rows)


class Stopwatch(L.Callback):
    """Keeps in ``environment.json`` what the training has cost so far, over all its starts.

    After every epoch, so that a start that is killed has counted up to its last finished one.

    Args:
        path: The file, whose last entry of ``starts`` is this start.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begun = time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Counts the epoch."""
        self.record()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Counts the last checkpoints."""
        self.record()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Counts an epoch that was interrupted."""
        self.record()

    def record(self) -> None:
        """Writes the seconds of this start, and their sum over all."""
        environment = read_json(self.path)
        environment["starts"][-1]["seconds"] = round(time.perf_counter() - self.begun, 1)
        write_json(self.path, {**environment, "seconds": total_seconds(environment["starts"])})


def checkpoints(folder: RunFolder, monitor: str | None) -> list[L.Callback]:
    """Keeps ``last.ckpt`` of every epoch, and ``best.ckpt`` by ``monitor`` where there is one.

    Two callbacks, since ``save_last`` of one refreshes the last only in the epochs that are best.
    The last comes last: a run killed between the two repeats the epoch and writes both.
    """
    best: list[L.Callback] = [keep("best", folder, monitor)] if monitor else []
    return [*best, keep("last", folder, None)]


def keep(name: str, folder: RunFolder, monitor: str | None) -> ModelCheckpoint:
    """Saves ``<name>.ckpt`` at the end of an epoch, when the learning rate has been settled."""
    return ModelCheckpoint(
        dirpath=folder.checkpoints,
        filename=name,
        monitor=monitor,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )


class LastingEarlyStopping(EarlyStopping):
    """Early stopping that holds, too, for a run killed between its last epoch and its end."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stops a run that had stopped already; Lightning restores when, but not that."""
        if self.stopped_epoch > 0:
            trainer.should_stop = True


def early_stopping(monitor: str | None, patience: int | None) -> list[L.Callback]:
    """Stops after ``patience`` epochs without improvement; never without a validation part."""
    if monitor is None or patience is None:
        return []
    return [LastingEarlyStopping(monitor=monitor, patience=patience)]
