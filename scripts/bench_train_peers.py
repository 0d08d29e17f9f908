"""The peers of ``bench_train.py``: the pipeline and the loop of a first notebook, timm's script."""

import ctypes
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import albumentations as A
import cv2
import lightning as L
import timm
import torch
import torch.nn.functional as F
from albumentations.pytorch import ToTensorV2
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

BATCH_SIZE = 8
MIB = 2**20
STEP_S = re.compile(r"Train: \d+ \[.*?Time: ([\d.]+)s")


class NaiveImages(Dataset):
    """Every image decoded, equalised and resized anew each time it is asked for.

    Args:
        folder: One sub-folder per class.
        side: Side of the square that the network sees, px.
    """

    def __init__(self, folder: Path, side: int) -> None:
        classes = sorted(path.name for path in folder.iterdir())
        self.files = sorted(folder.glob("*/*.png"))
        self.labels = [classes.index(path.parent.name) for path in self.files]
        self.steps = A.Compose(
            [
                A.CLAHE(clip_limit=(4.0, 4.0), tile_grid_size=(8, 8), p=1.0),
                A.Resize(side, side, interpolation=cv2.INTER_AREA),
                A.HorizontalFlip(p=0.5),
                A.VerticalFlip(p=0.5),
                A.RandomBrightnessContrast((-0.1, 0.1), (0.0, 0.0), p=1.0),
                A.Normalize(),
                ToTensorV2(),
            ]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = cv2.imread(str(self.files[index]))
        if image is None:
            raise FileNotFoundError(self.files[index])
        colour = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        return self.steps(image=colour)["image"], self.labels[index]


class PlainClassifier(L.LightningModule):
    """A timm model, AdamW and cross-entropy, as Lightning's first example has them."""

    def __init__(self, backbone: str, n_classes: int) -> None:
        super().__init__()
        self.network = timm.create_model(backbone, num_classes=n_classes)

    def training_step(self, batch: Sequence[Tensor], batch_index: int) -> Tensor:
        """Loss of a batch, logged."""
        loss = F.cross_entropy(self.network(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW."""
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


class Clock(L.Callback):
    """Writes when each step and each epoch of a training ended, in seconds of ``perf_counter``.

    What lies between two steps holds loading and all bookkeeping.

    Args:
        path: The JSON file to write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.steps: list[float] = []
        self.epochs: list[float] = []

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Reads the clock."""
        self.steps.append(time.perf_counter())

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Reads the clock and writes what it showed so far."""
        self.epochs.append(time.perf_counter())
        self.path.write_text(json.dumps({"steps": self.steps, "epochs": self.epochs}))


def seconds_a_step(path: Path) -> float:
    """Mean over the steps that a :class:`Clock` saw, without the first, which warms up."""
    steps = json.loads(path.read_text())["steps"]
    return (steps[-1] - steps[0]) / (len(steps) - 1)


def seconds_a_step_of_the_last_epoch(path: Path) -> float:
    """The same for the last epoch alone: no checkpoint and no validation lies in it."""
    seen = json.loads(path.read_text())
    steps = [ended for ended in seen["steps"] if ended > seen["epochs"][-2]]
    return (steps[-1] - steps[0]) / (len(steps) - 1)


def give_memory_back() -> None:
    """Undoes what our training told the C library: the limits that glibc comes to by itself."""
    libc = ctypes.CDLL(None)
    for parameter, value in ((-4, 65536), (-3, 32 * MIB), (-1, 64 * MIB)):  # as malloc.h has them
        libc.mallopt(parameter, value)
    libc.malloc_trim(0)


def plain_seconds(folder: Path, side: int, backbone: str, workers: int = 0) -> float:
    """Seconds an image of an epoch of a plain Lightning loop with the naive pipeline."""
    give_memory_back()
    images, clock = NaiveImages(folder, side), folder.parent / "plain.json"
    loader = DataLoader(images, BATCH_SIZE, shuffle=True, num_workers=workers, drop_last=True)
    trainer = L.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, callbacks=[Clock(clock)],
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(PlainClassifier(backbone, len(set(images.labels))), loader)
    return seconds_a_step(clock) / BATCH_SIZE


def naive_seconds(folder: Path, side: int) -> float:
    """Seconds an image of the naive pipeline alone, collated into batches."""
    images = NaiveImages(folder, side)
    began = time.perf_counter()
    for _ in DataLoader(images, BATCH_SIZE, shuffle=True):
        pass
    return (time.perf_counter() - began) / len(images)


def timm_seconds(
    script: Path, folder: Path, backbone: str, side: int, batch_size: int, words: Sequence[str]
) -> float:
    """Seconds an image of an epoch of timm's own train script, after its first step.

    The size has to be named: by itself the script trains at the model's own, often smaller one.

    Raises:
        ValueError: If the script fails, or prints no steps.
    """
    command = [
        sys.executable, str(script), "--data-dir", str(folder.parent), "--train-split", folder.name,
        "--val-split", "", "--model", backbone, "--num-classes", str(len(list(folder.iterdir()))),
        "--img-size", str(side), "--batch-size", str(batch_size), "--opt", "adamw", "--lr", "1e-3",
        "--epochs", "1", "--warmup-epochs", "0", "--log-interval", "1", "--channels-last",
        "--output", str(folder.parent / "timm"), *words,
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = [float(number) for number in STEP_S.findall(ran.stdout + ran.stderr)][1:]
    if ran.returncode or not seconds:
        raise ValueError(f"{script} timed nothing: {ran.stderr.strip().splitlines()[-1:]}")
    return sum(seconds) / len(seconds) / batch_size
