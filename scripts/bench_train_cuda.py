"""The rows of ``bench_train.py`` that need a CUDA device."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import lightning as L
import torch
from bench_train_ours import FAST, our_fit
from bench_train_peers import seconds_a_step_of_the_last_epoch, timm_seconds

from cellxai.classifier.backbone import TimmBackbone
from cellxai.classifier.module import ModelSettings
from cellxai.data.loading.settings import LoadingSettings

BATCH_SIZE = 32
EPOCHS = 8  # the first ones warm up and compile
ROUNDS = 3


class WaitingGpu(L.Callback):
    """Writes the share of time in which the GPU had no step to work on.

    Events on the stream of the GPU mark the begin and the end of each step; what lies between two
    steps is loading, augmentation and whatever the CPU did while the GPU had nothing queued.

    Args:
        path: The JSON file to write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.epochs: list[list[torch.cuda.Event]] = []

    def mark(self) -> None:
        """Puts an event into the stream."""
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        self.epochs[-1].append(event)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begins with an epoch: what lies before it, validation and checkpoints, is no waiting."""
        self.epochs.append([])

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any
    ) -> None:
        """Marks the begin of a step."""
        self.mark()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Marks its end."""
        self.mark()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Adds up what lies between the steps of the later epochs, where all is warm."""
        torch.cuda.synchronize()
        warm = self.epochs[len(self.epochs) // 2 :]
        between = sum(
            a.elapsed_time(b)
            for marks in warm
            for a, b in zip(marks[1:-1:2], marks[2::2], strict=True)
        )
        whole = sum(marks[0].elapsed_time(marks[-1]) for marks in warm)
        self.path.write_text(json.dumps(between / whole))


def cuda_lines(
    images: Path, folder: Path, backbone: str, side: int, timm_train: Path | None
) -> Iterable[str]:
    """Images a second with half precision, channels last and compiling, beside timm's script."""
    if not torch.cuda.is_available():
        yield "CUDA: not measured, there is no device"
        return
    for compiled in (False, True):
        ways = [our_cuda(images, folder / f"cuda-{compiled}-{i}", backbone, side, compiled)
                for i in range(ROUNDS)]  # fmt: skip
        seconds, waiting = (median(column) for column in zip(*ways, strict=True))
        words = ("--device", "cuda", "--amp", "--amp-dtype", "bfloat16", "--workers", "8")
        words += ("--epochs", str(EPOCHS)) + (("--torchcompile",) if compiled else ())
        theirs = "timm's script not measured"
        if timm_train is not None:
            peer = [timm_seconds(timm_train, images, backbone, side, BATCH_SIZE, words)
                    for _ in range(ROUNDS)]  # fmt: skip
            theirs = f"timm's script {1 / median(peer):.0f}"
        yield (
            f"CUDA, bf16, channels last{', compiled' * compiled}: {1 / seconds:.0f} images/s, "
            f"{theirs}; the GPU waits {waiting:.1%} of the time (at most 2 %)"
        )


def our_cuda(
    images: Path, run: Path, backbone: str, side: int, compiled: bool
) -> tuple[float, float]:
    """Seconds an image of the last epoch, and the share in which the GPU waits."""
    waiting = run.with_name(f"{run.name}-waiting.json")
    training = replace(
        FAST, epochs=EPOCHS, batch_size=BATCH_SIZE, device="cuda", precision="bf16-mixed",
        compile=compiled, callbacks=[WaitingGpu(waiting)],
    )  # fmt: skip
    loading = LoadingSettings(pipeline="tensor")
    clock = our_fit(images, run, side, ModelSettings(TimmBackbone(backbone)), training, loading)
    return seconds_a_step_of_the_last_epoch(clock) / BATCH_SIZE, json.loads(waiting.read_text())
