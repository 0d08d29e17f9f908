"""Checkpoints that are whole or absent, hold plain values, and hold all that a run goes on from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from torch import Tensor
from torchmetrics import Metric

from cellxai.classifier.monitor import higher_is_better
from cellxai.files.digest import stop_vouching
from cellxai.files.folder import RunFolder
from cellxai.training.checkpoint_file import read_checkpoint, write_checkpoint
from cellxai.training.stopping import StopRequest

RUNNING = "running_metrics"
PLAIN = (str, int, float, bool, type(None), Tensor, torch.dtype, torch.device)


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its target and renames it.

    Lightning's own write goes through the system's temporary folder and is a plain copy where that
    lies on another file system: a kill in between leaves half a file under the final name.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Saves whole or not at all.

        Raises:
            ValueError: If a value could not be loaded again without running code.
        """
        check_plain(checkpoint, "checkpoint")
        write_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Loads what was saved; the strategy moves it to its device.

        Raises:
            ValueError: If it is damaged, or no checkpoint.
        """
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Removes a checkpoint and the SHA-256 beside it."""
        super().remove_checkpoint(path)
        stop_vouching(Path(path))


def check_plain(value: Any, where: str) -> None:
    """Raises ``ValueError`` for what a safe load would refuse; it has to be known when saved."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            check_plain(item, f"{where}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            check_plain(item, f"{where}[{index}]")
    elif not isinstance(value, PLAIN):
        raise ValueError(
            f"{where} is a {type(value).__name__}, which would not load again with weights_only; "
            "keep only tensors, numbers, strings, lists and dictionaries in the state"
        )


def keep_best(folder: RunFolder, monitor: str | None) -> list[L.Callback]:
    """Keeps ``best.ckpt`` by ``monitor`` where there is one, with the learning rate settled."""
    if monitor is None:
        return []
    best = ModelCheckpoint(
        dirpath=folder.checkpoints,
        filename="best",
        monitor=monitor,
        mode="max" if higher_is_better(monitor) else "min",
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    return [best]


class MovedRun(L.Callback):
    """Lets a run that was copied or renamed remember which of its epochs was the best.

    Lightning forgets that where the folder is another, and keeps the best of the epochs to come.

    Args:
        folder: Where the checkpoints lie now.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Puts the folder of now in the place of the earlier one; states are loaded after this."""
        for state in checkpoint.get("callbacks", {}).values():
            ours = Path(state.get("best_model_path") or "").name == "best.ckpt"
            if not ours or Path(state.get("dirpath") or "").name != self.folder.name:
                continue
            state["dirpath"] = str(self.folder.resolve())
            for name in ("best_model_path", "kth_best_model_path"):
                state[name] = self.here(state[name])
            known = state["best_k_models"].items()
            state["best_k_models"] = {self.here(path): score for path, score in known}

    def here(self, path: str) -> str:
        """A checkpoint of that name in the folder of now; empty where there was none."""
        return str(self.folder.resolve() / Path(path).name) if path else ""


class LastCheckpoint(Checkpoint):
    """Keeps ``last.ckpt``: of every epoch, of every so many steps, and of a run that is to stop.

    It has to come after the callback that keeps the best: a run killed between the two then
    repeats the rest of the epoch and writes both.

    Args:
        path: The file.
        every_steps: Steps of the optimiser between two; ``None``: at the end of epochs only.
        request: Whether the run is to stop.
    """

    def __init__(self, path: Path, every_steps: int | None, request: StopRequest) -> None:
        self.path = path
        self.every_steps = every_steps
        self.request = request

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begins to listen."""
        self.request.listen()

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Saves inside an epoch where it is due, and stops there if the run is to."""
        # Between two batches of one step there are gradients, which a checkpoint does not hold; and
        # after the last step the epoch is not at its end before it is validated.
        if trainer.is_last_batch or (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        stop = self.request.by_any_within(trainer)
        if stop or (self.every_steps and trainer.global_step % self.every_steps == 0):
            trainer.save_checkpoint(self.path)
        if stop:
            raise self.request.answer()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Saves the epoch, with the learning rate settled."""
        trainer.save_checkpoint(self.path)
        if self.request.by_any(trainer):
            raise self.request.answer()


class RunningMetrics(L.Callback):
    """Keeps in a checkpoint from inside an epoch the sums that the epoch's means are made of.

    Lightning restores the number of the batch and not these, so that the means of an epoch that was
    taken up again would be those of its rest.
    """

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Tensor]] = {}

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Adds the sums of all processes."""
        if not trainer.is_last_batch:
            checkpoint[RUNNING] = {
                key: {
                    name: trainer.strategy.reduce(getattr(sums, name).clone(), reduce_op="sum")
                    for name in names
                }
                for key, (sums, names) in running_sums(trainer).items()
            }

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Takes the sums over; the first process stands for all."""
        self.kept = checkpoint.get(RUNNING, {}) if trainer.is_global_zero else {}

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Adds them to those of the first batch, when Lightning has something to add them to."""
        if not self.kept:
            return
        for key, (sums, names) in running_sums(trainer).items():
            for name in names:
                before = self.kept[key][name].to(getattr(sums, name).device)
                setattr(sums, name, before + getattr(sums, name))
        self.kept = {}


def running_sums(trainer: L.Trainer) -> dict[str, tuple[Metric, list[str]]]:
    """What holds the sums of the training epoch, by the logged key, and their names."""
    sums: dict[str, tuple[Metric, list[str]]] = {}
    for key, logged in trainer.fit_loop.epoch_loop._results.items():
        holder = logged if logged.is_tensor else logged.value
        sums[key] = holder, [name for name, state in states(holder) if isinstance(state, Tensor)]
    return sums


def states(metric: Metric) -> list[tuple[str, Any]]:
    """Names and values of the states of a metric."""
    return list(metric.metric_state.items())
