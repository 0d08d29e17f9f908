"""``kill -9``, other workers and other processes: real ones, and the weights are the same."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cellxai.classifier.backbone import TimmBackbone
from cellxai.classifier.module import HeadSettings, ModelSettings, Trainable
from cellxai.classifier.optimiser import OptimiserSettings
from cellxai.data.loading.settings import LoadingSettings
from cellxai.data.splits import SplitSettings
from cellxai.files.config import write_config
from cellxai.files.folder import read_csv, read_json
from cellxai.verbs.fit import fit

FIT = [sys.executable, "-m", "cellxai", "fit", "--config"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
# Kills itself between a checkpoint's bytes and its name: no signal from outside hits that moment.
KILLED_WRITING = """
import os, signal, sys
from pathlib import Path
from cellxai.cli import main
replace, left = Path.replace, [int(sys.argv.pop(1))]
def die(path, target):
    left[0] -= Path(target).suffix == ".ckpt"
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(path, target)
Path.replace = die
main()
"""


def digest(run: Path) -> dict[str, str]:
    """SHA-256 of all that a run has learned, by checkpoint, and of its table."""
    found = {"metrics.csv": hashlib.sha256((run / "metrics.csv").read_bytes()).hexdigest()}
    for name in ("best.ckpt", "last.ckpt"):
        saved = torch.load(run / "checkpoints" / name, weights_only=True)
        for part in ("state_dict", "optimizer_states", "lr_schedulers"):
            found[f"{name} {part}"] = hashlib.sha256(as_bytes(saved[part])).hexdigest()
    return found


def as_bytes(value: Any) -> bytes:
    """Every bit of nested tensors and numbers."""
    if isinstance(value, torch.Tensor):
        return value.contiguous().flatten().view(torch.uint8).numpy().tobytes()
    if isinstance(value, dict):
        return b"".join(repr(key).encode() + as_bytes(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return b"".join(map(as_bytes, value))
    return repr(value).encode()


@pytest.fixture
def config(settings, tmp_path) -> Callable[..., Path]:
    """Writes the config of a run, which starts anew in a process of its own."""

    def write(name: str, backbone: str, workers: int = 0, **training: Any) -> Path:
        defaults = {
            "epochs": 3, "checkpoint_every_steps": 1, "optimiser": OptimiserSettings(1e-3),
        }  # fmt: skip
        given = settings(**(defaults | training))
        path = tmp_path / f"{name}.yaml"
        model = ModelSettings(TimmBackbone(backbone))
        loading = LoadingSettings(workers=workers)
        assert given["transforms"].clahe
        write_config(
            path, {**given, "model": model, "loading": loading, "run": tmp_path / name, "seed": 3}
        )
        return path

    return write


def complete(config: Path) -> Path:
    """Trains to the end; the run folder."""
    done = subprocess.run([*FIT, str(config)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return config.with_suffix("")


def killed_outside(config: Path, epoch: int, step: int) -> None:
    """Kills a training from outside when its last checkpoint is past a step inside an epoch."""
    last = config.with_suffix("") / "checkpoints" / "last.ckpt"
    with subprocess.Popen([*FIT, str(config)], stdout=subprocess.DEVNULL) as process:
        while not past(last, epoch, step):
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.005)
        process.kill()
    assert process.returncode == -signal.SIGKILL


def past(checkpoint: Path, epoch: int, step: int) -> bool:
    """Whether a checkpoint, which is always whole, is of this moment or a later one."""
    if not checkpoint.exists():
        return False
    saved = torch.load(checkpoint, weights_only=True)
    return (saved["epoch"], saved["global_step"]) >= (epoch, step)


def killed_writing(config: Path, checkpoints: int) -> None:
    """Kills a training in the middle of writing the checkpoint after so many."""
    command = [sys.executable, "-c", KILLED_WRITING, str(checkpoints), "fit", "--config"]
    done = subprocess.run([*command, str(config)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_a_run_killed_inside_an_epoch_ends_as_the_one_that_was_not(config):
    whole = complete(config("whole", "test_efficientnet"))
    killed = config("killed", "test_efficientnet", workers=2)
    killed_writing(killed, 2)  # and not from outside: that may come too late for this epoch
    assert not (killed.with_suffix("") / "metrics.csv").exists()
    assert digest(complete(killed)) == digest(whole)


@pytest.mark.slow
def test_efficientnet_killed_anywhere_ends_as_the_one_that_was_not(config):
    whole = complete(config("whole", "tf_efficientnetv2_b0"))
    killed = config("killed", "tf_efficientnetv2_b0")
    killed_writing(killed, 0)  # before there is any
    killed_outside(killed, 0, 1)
    killed_writing(killed, 2)
    killed_outside(killed, 1, 6)
    assert digest(complete(killed)) == digest(whole)
    environment = read_json(killed.with_suffix("") / "environment.json")
    assert len(environment["starts"]) == 5


@pytest.mark.slow
def test_efficientnet_has_the_same_weights_with_any_number_of_workers(config):
    runs = [complete(config(f"{n}", "tf_efficientnetv2_b0", workers=n)) for n in (0, 2, 4)]
    first, *others = map(digest, runs)
    assert others == [first, first]


def test_the_number_of_workers_changes_no_weight(settings, tmp_path):
    runs = [
        fit(run=tmp_path / f"{n}", loading=LoadingSettings(workers=n), **settings(epochs=2)).run
        for n in (0, 2, 4)
    ]
    first, *others = map(digest, runs)
    assert others == [first, first]


@pytest.fixture
def two(settings, tmp_path, cells) -> Callable[..., Path]:
    """Writes a config in which a batch is the sum of its images, so that halves add up to it."""
    (cells / "dark" / "11.png").unlink()  # 5 of 23 validate: one process gets 3, the other 2

    def write(name: str, devices: int, trainable: Trainable = "all", **training: Any) -> Path:
        given = settings(
            devices=devices, epochs=2, batch_size=4, optimiser=OptimiserSettings(1e-3), **training
        )
        model = ModelSettings(
            TimmBackbone("test_efficientnet"), HeadSettings(dropout=0.0), True, trainable
        )
        split = SplitSettings(validation_share=0.2, test_share=0.2)
        path = tmp_path / f"{name}.yaml"
        write_config(path, {**given, "model": model, "split": split, "run": tmp_path / name})
        return path

    return write


def numbers(run: Path, column: str) -> list[float]:
    return [float(row[column]) for row in read_csv(run / "metrics.csv")]


@pytest.fixture
def quiet(monkeypatch) -> None:
    """One thread in each of the processes."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MASTER_PORT", str(20000 + os.getpid() % 20000))


@pytest.mark.slow
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("launcher", ["lightning", "torchrun"])
def test_two_processes_train_what_one_does_into_one_folder(two, launcher):
    one = complete(two("one", 1))
    config = two("two", 2)
    command = {
        "lightning": [sys.executable, "-m"],
        "torchrun": [*TORCHRUN, "--nproc_per_node=2", "-m"],
    }[launcher]
    done = subprocess.run(
        [*command, "cellxai", "fit", "--config", str(config)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("2 epochs in") == 1  # one of them reports
    run = config.with_suffix("")
    files = [sorted(path.name for path in folder.rglob("*")) for folder in (one, run)]
    assert files[0] == files[1]
    # Every step takes the same images, and validation each image once.
    for column in ("train_loss", "validation_loss"):
        assert numbers(run, column) == pytest.approx(numbers(one, column), rel=0.01)
    assert numbers(run, "validation_accuracy") == numbers(one, "validation_accuracy")


@pytest.mark.slow
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(("trainable", "ema_decay"), [("head", None), ("all", 0.9)])
def test_two_processes_freeze_and_average_as_one_does(two, trainable, ema_decay):
    one, both = (complete(two(f"{n}", n, trainable, ema_decay=ema_decay)) for n in (1, 2))
    for column in ("train_loss", "validation_loss"):
        assert numbers(both, column) == pytest.approx(numbers(one, column), rel=0.01)


@pytest.mark.slow
@pytest.mark.usefixtures("quiet")
def test_two_processes_killed_inside_an_epoch_end_as_those_that_were_not(two):
    whole = complete(two("whole", 2, checkpoint_every_steps=1))
    killed = two("killed", 2, checkpoint_every_steps=1)
    killed_outside(killed, 0, 2)
    assert digest(complete(killed)) == digest(whole)
