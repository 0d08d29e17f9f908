"""Our side of ``bench_train.py``: ``cellxai fit`` as a user calls it, and its parts alone."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from bench_train_peers import Clock, seconds_a_step

from cellxai.classifier.backbone import TimmBackbone
from cellxai.classifier.module import CellClassifier, HeadSettings, ModelSettings
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.loading.settings import LoadingSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.folder import ImageFolder
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.splits import SplitSettings
from cellxai.training.settings import TrainingSettings
from cellxai.verbs.fit import fit
from cellxai.verbs.synthesize import synthesize

EVERYTHING = SplitSettings(validation_share=0.0, test_share=0.0)
LATER_EPOCHS = 20
FAST = TrainingSettings(epochs=1, channels_last=True, early_stopping_patience=None)


def write_images(folder: Path, n_images: int) -> Path:
    """Synthetic cells at the size of real frames, a folder per class; returns that folder."""
    synthesize(folder / "cells", n_images, n_workers=2)
    images = folder / "images"
    for record in Sartorius(folder / "cells").scan().records:
        (images / record.label).mkdir(parents=True, exist_ok=True)
        shutil.copy(record.path, images / record.label)
    return images


def our_fit(
    folder: Path,
    run: Path,
    side: int,
    model: ModelSettings,
    training: TrainingSettings,
    loading: LoadingSettings = LoadingSettings(),
) -> Path:
    """Runs ``cellxai fit`` on all images, and returns what its :class:`Clock` wrote."""
    clock = run.with_suffix(".json")
    clock.parent.mkdir(parents=True, exist_ok=True)
    watched = replace(training, callbacks=[Clock(clock), *training.callbacks])
    transforms = Transforms(image_size=(side, side))
    fit(ImageFolder(folder), run, EVERYTHING, transforms, model, watched, loading)
    return clock


def our_seconds(
    folder: Path,
    run: Path,
    side: int,
    backbone: str,
    training: TrainingSettings,
    loading: LoadingSettings,
) -> float:
    """Seconds an image of an epoch of ``cellxai fit``."""
    clock = our_fit(folder, run, side, ModelSettings(TimmBackbone(backbone)), training, loading)
    return seconds_a_step(clock) / training.batch_size


def prepared_images(
    folder: Path, side: int, batch_size: int, loading: LoadingSettings
) -> CellImages:
    """All images to train on, from the cache where there is one."""
    scan = ImageFolder(folder).scan()
    parts = {record.id: "train" for record in scan.records}
    transforms = Transforms(image_size=(side, side))
    images = CellImages(scan.records, parts, scan.classes, transforms, batch_size, loading=loading)
    images.setup()
    return images


def loader_seconds(images: CellImages, epochs: int = 5) -> float:
    """Seconds an image of the augmented batches alone."""
    loader = images.train_dataloader()
    began = time.perf_counter()
    for _ in range(epochs):
        for _ in loader:
            pass
    return (time.perf_counter() - began) / epochs / len(images.records("train"))


def bare_step_seconds(images: CellImages, backbone: str) -> float:
    """Seconds a step of an epoch of the same network and batches in a loop of torch alone."""
    network = TimmBackbone(backbone).build(load_weights=False)
    classifier = CellClassifier(network, HeadSettings(), len(images.classes))
    classifier.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=1e-3)
    ended = []
    for batch, labels in images.train_dataloader():
        optimiser.zero_grad()
        F.cross_entropy(classifier(batch), labels).backward()
        optimiser.step()
        ended.append(time.perf_counter())
    return (ended[-1] - ended[0]) / (len(ended) - 1)


def frozen_epochs(
    folder: Path, run: Path, side: int, backbone: str, loading: LoadingSettings
) -> tuple[float, float]:
    """Seconds from the call of ``fit`` to the end of its first epoch, and of a later one."""
    model = ModelSettings(TimmBackbone(backbone), trainable="head")
    began = time.perf_counter()
    clock = our_fit(folder, run, side, model, replace(FAST, epochs=LATER_EPOCHS + 1), loading)
    ended = json.loads(clock.read_text())["epochs"]
    return ended[0] - began, (ended[-1] - ended[0]) / LATER_EPOCHS
