"""How a classifier is trained, apart from its network and its data."""

import importlib.util
import os
from dataclasses import dataclass, field
from typing import Literal

import jsonargparse
import lightning as L
import torch
from lightning.pytorch.loggers import Logger

from cellxai.classifier.class_weights import ClassWeights, check_weights
from cellxai.classifier.loss import LossSettings
from cellxai.classifier.monitor import Monitor
from cellxai.classifier.optimiser import OptimiserSettings
from cellxai.files.config import refuse_null, remember_arguments

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]

# Lightning's own classes do not all keep their arguments, so what a config said of them is kept.
for extension in (L.Callback, Logger):
    jsonargparse.add_instantiator(remember_arguments, extension)


@dataclass(frozen=True)
class TrainingSettings:
    """How a classifier is trained.

    Args:
        epochs: Passes over the training images at most.
        batch_size: Images per step, of all processes together.
        class_weights: How much an image counts in the loss by its class: "none"; "balanced", by the
            inverse of the class's count; or numbers of your own, by name ({rare: 5, common: 1}) or
            in alphabetical order of the classes.
        early_stopping_patience: Stops after so many epochs that are not better; null: never.
        optimiser: AdamW and its learning rate.
        device: "auto" takes a CUDA device when there is one.
        devices: Processes that train together, each on its own device; they share a CPU.
        precision: Precision of the arithmetic: single, or half where losing digits does no harm.
        channels_last: Whether the network's weights lie channels last, which convolutions are
            faster with on most machines.
        compile: Whether torch compiles the backbone: a minute at the start, faster steps after it.
        accumulate_batches: Batches whose gradients are averaged for one step of the optimiser.
        gradient_clip: Largest norm of all gradients together; null: any.
        checkpoint_every_steps: Keeps ``last.ckpt`` also after every so many steps of the optimiser,
            so that a killed run loses no more than those; null: at the end of each epoch only.
        callbacks: Lightning's own or yours, in addition.
        loggers: Lightning's own or yours; ``metrics.csv`` is written in any case.
        tensorboard: Whether to write TensorBoard's event files into the run folder.
        loss: Smoothed labels, mixed images.
        ema_decay: Judges and keeps the moving average of the weights instead of the last ones
            (arXiv:1703.01780): the share of it that a step keeps, such as 0.999; null: no average.
        cached_views: With ``model.trainable: head``, how many versions of each training image have
            their features kept: the untouched one and, for each further view, an augmented one.
            Each epoch takes one of them.
        monitor: What says which epoch is the best, and so becomes ``best.ckpt``, and what early
            stopping and the plateau go by: the loss, or the accuracy of all validation images, the
            mean recall of the classes, or their mean F1. Of equal epochs the first is the best.

    Raises:
        ValueError: If a number is not positive, or TensorBoard is asked for and not installed.
    """

    epochs: int = 30
    batch_size: int = 16
    class_weights: ClassWeights = "none"
    early_stopping_patience: int | None = 5
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    device: Device = "auto"
    devices: int = 1
    precision: Precision = "32-true"
    channels_last: bool = False
    compile: bool = False
    accumulate_batches: int = 1
    gradient_clip: float | None = None
    checkpoint_every_steps: int | None = None
    callbacks: list[L.Callback] = field(default_factory=list)
    loggers: list[Logger] = field(default_factory=list)
    tensorboard: bool = False
    loss: LossSettings = field(default_factory=LossSettings)
    ema_decay: float | None = None
    cached_views: int = 1
    monitor: Monitor = "validation_loss"

    def __post_init__(self) -> None:
        for name in (
            "epochs", "batch_size", "devices", "accumulate_batches", "checkpoint_every_steps",
            "cached_views",
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"training.{name}={value}: expected at least 1")
        refuse_null("training", self, "optimiser", "loss", "callbacks", "loggers")
        check_weights(self.class_weights)
        patience = self.early_stopping_patience
        if patience is not None and patience < 0:
            raise ValueError(
                f"training.early_stopping_patience={patience}: expected 0 or more, or null"
            )
        if self.gradient_clip is not None and self.gradient_clip <= 0:
            raise ValueError(
                f"training.gradient_clip={self.gradient_clip}: expected more than 0, or null"
            )
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise ValueError(
                f"training.ema_decay={self.ema_decay}: expected a share between 0 and 1, or null"
            )
        if self.batch_size % self.devices:
            raise ValueError(
                f"training.batch_size={self.batch_size} cannot be shared evenly by "
                f"training.devices={self.devices}; pass a multiple of it"
            )
        if self.tensorboard and importlib.util.find_spec("tensorboard") is None:
            raise ValueError(
                "training.tensorboard=true, but the package tensorboard is not installed; "
                "pip install tensorboard, or pass false: metrics.csv holds the same numbers"
            )


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


def check_precision(precision: Precision, device: torch.device) -> None:
    """Refuses half precision with a small exponent on a CPU, where torch does not train with it.

    Raises:
        ValueError: Naming what to pass instead.
    """
    if precision == "16-mixed" and device.type == "cpu":
        raise ValueError(
            f"training.precision=16-mixed needs a CUDA device, got {device}; pass bf16-mixed or "
            "32-true"
        )


def check_launch(devices: int) -> None:
    """Refuses to wait for processes that torchrun has not started.

    Raises:
        ValueError: If it started another number of them on this machine.
    """
    started = int(os.environ.get("LOCAL_WORLD_SIZE", devices))
    if started != devices:
        raise ValueError(
            f"training.devices={devices}, but torchrun started {started} processes on this "
            f"machine; pass training.devices={started}"
        )


def device_name(device: torch.device) -> str:
    """A device in words, for the record."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} (CUDA {torch.version.cuda})"
    return f"CPU, {torch.get_num_threads()} threads"
