"""The sections of ``gpu_check.py`` about training and about the verbs."""

import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightning as L
import torch
from gpu_check_measures import Numbers, apart, profiled, timed
from torch import Tensor
from torch.nn import functional as F

from cellxai.classifier.backbone import TimmBackbone
from cellxai.classifier.loss import LossSettings
from cellxai.classifier.module import CellClassifier, HeadSettings, ModelSettings
from cellxai.data.loading.settings import LoadingSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.sartorius import Sartorius
from cellxai.trained.run import load_run
from cellxai.training.settings import TrainingSettings
from cellxai.verbs.fit import fit
from cellxai.verbs.synthesize import synthesize

MIXED: dict[str, Any] = {"precision": "bf16-mixed", "channels_last": True}
WAYS: dict[str, dict[str, Any]] = {
    "float32": {},
    "bf16, channels last": MIXED,
    "fp16": {"precision": "16-mixed"},
    "moving average": {"ema_decay": 0.9},
    "bf16, compiled": {**MIXED, "compile": True},
}
SECONDS_OF_A_VERB = 150
REPOSITORY = Path(__file__).resolve().parents[1]


class KilledError(BaseException):
    """Not an error, so that nothing tidies up after it."""


class KillOnce(L.Callback):
    """Ends the first training that it sees after some steps, as a lost machine would.

    Args:
        after: Steps.
    """

    killed = False

    def __init__(self, after: int = 3) -> None:
        self.after = after

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Kills, once in the process."""
        if trainer.global_step == self.after and not KillOnce.killed:
            KillOnce.killed = True
            raise KilledError


def trainings_agree(tiny: bool, pretended: bool) -> Numbers:
    """Each way of training: again, killed and resumed, and read back on both devices."""
    found: Numbers = {}
    with TemporaryDirectory() as folder:
        root, side = Path(folder), 64 if tiny else 128
        synthesize(root / "cells", n_images=24 if tiny else 64, height=side, width=side)
        for name, way in list(WAYS.items())[: 2 if tiny else None]:
            if not (pretended and way.get("compile")):
                found[name] = train_thrice(root, name.replace(" ", "-"), side, way, tiny)
    return found


def train_thrice(root: Path, name: str, side: int, way: dict[str, Any], tiny: bool) -> Numbers:
    """Twice undisturbed and once killed: how far the weights are apart, in seconds."""
    begun, runs = time.perf_counter(), [root / f"{name}-{i}" for i in range(3)]
    for run in runs[:2]:
        train(root / "cells", run, side, way, tiny)
    seconds = (time.perf_counter() - begun) / 2
    KillOnce.killed = False
    with suppress(KilledError):
        train(root / "cells", runs[2], side, way, tiny, [KillOnce()])
    train(root / "cells", runs[2], side, way, tiny, [KillOnce()])
    first, again, resumed = (weights(run) for run in runs)
    here, there = (load_run(runs[0], device) for device in ("cpu", "cuda"))
    part = here.judged_part
    return {
        "again": widest(first, again),
        "resumed": widest(first, resumed),
        "logits": apart(there.outputs(part)[0], here.outputs(part)[0]),
        "seconds": seconds,
    }


def train(
    cells: Path, run: Path, side: int, way: dict[str, Any], tiny: bool, callbacks: Any = ()
) -> None:
    """Two epochs on CUDA, saved at every step."""
    settings = TrainingSettings(epochs=2, batch_size=8, device="cuda", checkpoint_every_steps=1)
    settings = replace(settings, callbacks=list(callbacks), **way)
    fit(
        Sartorius(cells), run, transforms=Transforms(image_size=(side, side)),
        model=ModelSettings(TimmBackbone(backbone(tiny))), training=settings,
        loading=LoadingSettings(pipeline="tensor"),
    )  # fmt: skip


def backbone(tiny: bool) -> str:
    return "test_efficientnet" if tiny else "tf_efficientnetv2_b0"


def weights(run: Path) -> dict[str, Tensor]:
    """The last weights of a run."""
    path = run / "checkpoints" / "last.ckpt"
    return torch.load(path, map_location="cpu", weights_only=True)["state_dict"]


def widest(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Largest difference of a weight: 0 for the same to the last bit."""
    return max(apart(one[name], other[name]) for name in one)


def training_speed(tiny: bool, pretended: bool) -> Numbers:
    """Steady steps without checkpoints: images a second, kernels, and how busy the GPU is."""
    found: Numbers = {}
    for batch_size in (8,) if tiny else (32, 256):
        for bf16 in (False, True):
            for compiled in (False,) if pretended else (False, True):
                name = f"{batch_size}, {'bf16' if bf16 else 'float32'}{', compiled' * compiled}"
                found[name] = steps(batch_size, bf16, compiled, tiny, pretended)
    return found


def steps(batch_size: int, bf16: bool, compiled: bool, tiny: bool, pretended: bool) -> Numbers:
    """A step of the network and its optimiser on a batch that is there."""
    side = 32 if tiny else 224
    network = TimmBackbone(backbone(tiny)).build(load_weights=False)
    classifier: Any = CellClassifier(network, HeadSettings(), 3, loss=LossSettings())
    classifier = classifier.to("cuda", memory_format=torch.channels_last)
    if compiled:
        classifier.backbone.compile()
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=1e-3, fused=True)
    images = torch.rand(batch_size, 1, side, side, device="cuda").expand(-1, 3, -1, -1)
    labels = torch.randint(3, (batch_size,), device="cuda")

    def step() -> None:
        optimiser.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, enabled=bf16):
            loss = F.cross_entropy(classifier(images), labels)
        loss.backward()
        optimiser.step()

    found = timed(step, 2, 1) if tiny else timed(step, 15, 5)
    found["images_s"] = batch_size / found["median_ms"] * 1e3
    return found if pretended else found | profiled(step)


def verbs(tiny: bool, pretended: bool) -> Numbers:
    """The whole product once, as its user calls it."""
    start = [sys.executable, "-m", "pretended_cuda" if pretended else "cellxai"]
    size = ["--n_images", "240"]
    if tiny:
        size = ["--n_images", "24", "--transforms.image_size", "[64,64]", "--training.epochs", "1",
                "--model.backbone.name", "test_efficientnet"]  # fmt: skip
    with TemporaryDirectory() as folder:
        run = str(Path(folder) / "run")
        calls = {
            "quickstart": ["quickstart", "--run", run, *size, "--training.device", "cuda"],
            "benchmark": ["benchmark", "--run", run, "--config",
                          str(REPOSITORY / "configs/benchmark/smoke.yaml"), "--device", "cuda"],
            "export": ["export", "--run", run, "--out", str(Path(folder) / "out"), "--device",
                       "cuda", *([] if pretended else ["--format", "torch_export"])],
        }  # fmt: skip
        chosen = {"quickstart": calls["quickstart"]} if tiny else calls
        return {name: call([*start, *words]) for name, words in chosen.items()}


def call(command: list[str]) -> Numbers:
    """Exit status, seconds, and the end of what a command said."""
    begun = time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=SECONDS_OF_A_VERB,
        cwd=REPOSITORY,
    )  # fmt: skip
    seconds = round(time.perf_counter() - begun, 1)
    return {
        "status": done.returncode,
        "seconds": seconds,
        "said": (done.stdout + done.stderr)[-500:],
    }
