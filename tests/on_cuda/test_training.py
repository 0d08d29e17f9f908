"""A training on CUDA takes the steps of the CPU, and goes on where it was killed."""

from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from small_training import cells, settings, weights

from cellxai.files.folder import read_csv
from cellxai.trained.run import load_run
from cellxai.verbs.fit import fit

__all__ = ["cells", "settings", "weights"]


class Killed(BaseException):
    """Not an error, so that nothing tidies up after it."""


class KillAt(L.Callback):
    """Ends the training at a step, as it were; a second start goes on."""

    step = 7
    asked = False

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step and not KillAt.asked:
            KillAt.asked = True
            raise Killed


@pytest.fixture(autouse=True)
def _in_full_precision(unrendered):
    """Where TF32 is allowed, as by default, a convolution has three digits."""
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = True


DEVICES = ("cpu", "cuda")
WAYS = {
    "plain": {},
    "averaged": {"ema_decay": 0.9, "gradient_clip": 0.1},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_training_ends_with_the_weights_of_the_cpu(settings, weights, tmp_path, way) -> None:
    for device in DEVICES:
        fit(run=tmp_path / device, **settings(**WAYS[way], epochs=2, device=device))
    here, there = (weights(tmp_path / device / "checkpoints/last.ckpt") for device in DEVICES)
    torch.testing.assert_close(there, here, rtol=1e-5, atol=1e-5)


def test_a_training_in_mixed_precision_learns_as_on_the_cpu(settings, tmp_path) -> None:
    mixed = {"precision": "bf16-mixed", "channels_last": True}
    for device in DEVICES:
        fit(run=tmp_path / device, **settings(**mixed, epochs=2, device=device))
    here, there = (read_csv(tmp_path / device / "metrics.csv") for device in DEVICES)
    for mine, other in zip(there, here, strict=True):  # which rounds elsewhere than the CPU does
        assert float(mine["train_loss"]) == pytest.approx(float(other["train_loss"]), rel=0.05)


def test_a_killed_training_goes_on_to_the_same_weights(settings, weights, tmp_path) -> None:
    given = {"epochs": 2, "device": "cuda", "checkpoint_every_steps": 2}
    fit(run=tmp_path / "whole", **settings(**given))
    KillAt.asked = False
    killed = settings(**given, callbacks=[KillAt()])
    with pytest.raises(Killed):
        fit(run=tmp_path / "killed", **killed)
    fit(run=tmp_path / "killed", **killed)
    assert read_csv(tmp_path / "killed/metrics.csv") == read_csv(tmp_path / "whole/metrics.csv")
    a, b = (weights(tmp_path / run / "checkpoints/last.ckpt") for run in ("killed", "whole"))
    torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_a_run_answers_on_both_devices_alike(settings, tmp_path: Path) -> None:
    fit(run=tmp_path / "run", **settings(epochs=1, device="cuda"))
    here, there = (load_run(tmp_path / "run", device).outputs("train") for device in DEVICES)
    torch.testing.assert_close(there, here)
