"""Lightning's Trainer made from the settings: what trains, on how many devices, watched by whom."""

import copy
import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from cellxai.classifier.module import CellClassifier
from cellxai.data.loading.datamodule import CellImages
from cellxai.files.folder import RunFolder
from cellxai.training.allocator import keep_freed_memory
from cellxai.training.averaging import build_moving_average
from cellxai.training.backbone_file import keep_backbone
from cellxai.training.callbacks import METRICS, MetricsTable, StepSeed, Stopwatch
from cellxai.training.checkpoints import (
    AtomicCheckpoints,
    LastCheckpoint,
    MovedRun,
    RunningMetrics,
    keep_best,
)
from cellxai.training.frozen import CachedFeatures
from cellxai.training.resuming import find_last_checkpoint
from cellxai.training.settings import TrainingSettings, choose_device
from cellxai.training.stopping import FiniteLoss, Stopped, StopRequest, build_early_stopping

MISSING_METRIC = "conditioned on metric"  # of Lightning's EarlyStopping


def train(
    classifier: CellClassifier, images: CellImages, folder: RunFolder, training: TrainingSettings
) -> None:
    """Trains from the last checkpoint, if there is one, to the end.

    Raises:
        KeyboardInterrupt: If the run was asked to stop; its checkpoint is written.
        ValueError: If a callback or logger of the user's does not fit this training.
        NotFiniteError: If a loss is not a number.
    """
    quieten_lightning()
    if choose_device(training.device).type == "cpu":
        keep_freed_memory()
    inputs: L.LightningDataModule = images
    if classifier.trainable == "head":
        keep_backbone(classifier, folder, writes=process_number() == 0)
        inputs = CachedFeatures(images, classifier, training.cached_views)
    if training.channels_last:
        classifier.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    if training.compile:
        classifier.backbone.compile()  # in place: the names of the weights stay what they are
    with repeatable_as_before():
        _fit(new_trainer(images, folder, training), classifier, inputs, folder)


@contextmanager
def repeatable_as_before() -> Iterator[None]:
    """What is switched for repeatable steps is at the end as it was before."""
    settings: Any = torch.utils.deterministic
    mode, benchmark = torch.get_deterministic_debug_mode(), torch.backends.cudnn.benchmark
    fills = settings.fill_uninitialized_memory
    # With deterministic algorithms torch also fills every new tensor before it is written: a search
    # aid for reads of memory that nobody wrote, which costs some percent of a step on a CPU.
    settings.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        torch.backends.cudnn.benchmark = benchmark
        settings.fill_uninitialized_memory = fills


def _fit(
    trainer: L.Trainer,
    classifier: CellClassifier,
    inputs: L.LightningDataModule,
    folder: RunFolder,
) -> None:
    last = find_last_checkpoint(folder)
    resumed = None if last is None else str(last)
    try:
        trainer.fit(classifier, datamodule=inputs, ckpt_path=resumed, weights_only=True)
    except Stopped:
        raise KeyboardInterrupt from None
    except MisconfigurationException as error:
        raise ValueError(f"training.callbacks or training.loggers: {error}") from error
    except RuntimeError as error:
        if MISSING_METRIC not in str(error):
            raise
        raise ValueError(f"training.callbacks: {error}; they are {', '.join(METRICS)}") from error
    except SystemExit:  # how Lightning ends after Ctrl-C, with the signal turned off for good
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from None


def new_trainer(images: CellImages, folder: RunFolder, training: TrainingSettings) -> L.Trainer:
    """A trainer for the settings that writes into the run folder.

    Raises:
        ValueError: If there are fewer images to validate than processes.
    """
    n_validation = len(images.records("validation"))
    if 0 < n_validation < training.devices:
        raise ValueError(
            f"training.devices={training.devices}, but only {n_validation} images validate, fewer "
            "than one each; pass fewer devices, or a larger split.validation_share"
        )
    monitor = training.monitor if n_validation else None
    return L.Trainer(
        accelerator="gpu" if choose_device(training.device).type == "cuda" else "cpu",
        devices=training.devices,
        num_nodes=int(os.environ.get("GROUP_WORLD_SIZE", "1")),  # told by torchrun
        strategy="ddp" if training.devices > 1 else "auto",
        use_distributed_sampler=False,  # ours knows what Lightning's would not: the first image
        precision=training.precision,
        max_epochs=training.epochs,
        accumulate_grad_batches=training.accumulate_batches,
        gradient_clip_val=training.gradient_clip,
        deterministic="warn",
        callbacks=build_callbacks(images, folder, training, monitor),
        plugins=[AtomicCheckpoints()],
        logger=build_loggers(folder, training) or False,
        log_every_n_steps=1,
        default_root_dir=folder.root,
        enable_progress_bar=sys.stderr.isatty(),  # a bar in a log is a flood
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if monitor else 0,
    )


def build_callbacks(
    images: CellImages, folder: RunFolder, training: TrainingSettings, monitor: str | None
) -> list[L.Callback]:
    """Ours and the user's, in the order in which they are called."""
    last = folder.checkpoints / "last.ckpt"
    return [
        StepSeed(images.seed),
        FiniteLoss(images),
        RunningMetrics(),
        MovedRun(folder.checkpoints),
        *build_moving_average(training.ema_decay),
        MetricsTable(folder.metrics),
        Stopwatch(folder.environment),
        *copy.deepcopy(training.callbacks),  # what they learn in a run is not for the next
        *build_early_stopping(monitor, training.early_stopping_patience),
        *keep_best(folder, monitor),
        LastCheckpoint(last, training.checkpoint_every_steps, StopRequest()),
    ]


def build_loggers(folder: RunFolder, training: TrainingSettings) -> list[Logger]:
    """The user's, and TensorBoard's where asked for."""
    if not training.tensorboard:
        return training.loggers
    return [*training.loggers, TensorBoardLogger(folder.root, name="tensorboard", version="")]


def process_number() -> int:
    """Which of the processes that train together this is: 0 writes the run folder."""
    return getattr(rank_zero_only, "rank", None) or 0


def wait_for_all() -> None:
    """Returns when all processes that train together have come here."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()


def quieten_lightning() -> None:
    """Turns off advice that does not hold here; every other warning stays."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # The images lie in memory as 8-bit pixels, so worker processes would only copy them around.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # Lightning 2.6 asks torch in a way that torch 2.14 will drop; only Lightning can change that.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")
    # What is frozen is in evaluation mode, as it should be.
    warnings.filterwarnings("ignore", message="Found .* in eval mode at the start of training")
    # A run that continues finds its checkpoints there, as it should.
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
