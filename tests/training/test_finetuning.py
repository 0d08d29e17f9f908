"""Every way of fine-tuning continues after a kill, at an epoch's end and inside one, to the bit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_training import SmallSizedBackbone

from cellxai.classifier.loss import LossSettings
from cellxai.classifier.optimiser import OptimiserSettings
from cellxai.files.folder import read_csv
from cellxai.trained.run import load_run
from cellxai.training.checkpoints import AtomicCheckpoints
from cellxai.verbs.fit import fit

STATES = (
    "epoch", "global_step", "state_dict", "optimizer_states", "lr_schedulers",
    "current_model_state", "averaging_state",
)  # fmt: skip
WAYS = {
    "warm-up, cosine": {
        "optimiser": OptimiserSettings(
            0.05, schedule="cosine", warm_up_epochs=1.5, layer_decay=0.5,
            decay_biases_and_norms=False,
        )
    },
    "smoothed and mixed": {"loss": LossSettings(label_smoothing=0.1, mixup_alpha=0.4)},
    "averaged": {"ema_decay": 0.9},
    "frozen": {"trainable": "head", "cached_views": 2},
    "frozen, averaged, mixed": {
        "trainable": "head", "ema_decay": 0.9, "loss": LossSettings(mixup_alpha=0.4),
    },
}  # fmt: skip


class Killed(BaseException):
    """Not an error, so that nothing tidies up after it."""


def kill_after(monkeypatch: pytest.MonkeyPatch, n_checkpoints: int) -> None:
    """Ends the process, as it were, when so many checkpoints are written."""
    save = AtomicCheckpoints.save_checkpoint
    left = iter(range(n_checkpoints, 0, -1))

    def save_and_die(self, *arguments, **named) -> None:
        save(self, *arguments, **named)
        if next(left) == 1:
            raise Killed

    monkeypatch.setattr(AtomicCheckpoints, "save_checkpoint", save_and_die)


@pytest.fixture(params=WAYS)
def arguments(request, settings) -> dict[str, Any]:
    """Arguments of ``fit`` for one of the ways, with a checkpoint after every step."""
    options = dict(WAYS[request.param])
    trainable = options.pop("trainable", "all")
    made = settings(**options, epochs=3, checkpoint_every_steps=1)
    return made | {"model": replace(made["model"], trainable=trainable)}


def states(run: Path, name: str) -> dict[str, Any]:
    """What a checkpoint goes on from."""
    kept = torch.load(run / "checkpoints" / name, weights_only=True)
    return {key: kept[key] for key in STATES if key in kept}


def test_a_run_killed_inside_an_epoch_and_at_its_end_is_the_one_that_was_not(
    arguments, tmp_path, monkeypatch
):
    whole = fit(run=tmp_path / "whole", **arguments).run
    for n_checkpoints in (2, 4, 3):  # again and again, wherever it has come to
        with monkeypatch.context() as patch:
            kill_after(patch, n_checkpoints)
            with pytest.raises(Killed):
                fit(run=tmp_path / "killed", **arguments)
    killed = fit(run=tmp_path / "killed", **arguments).run
    assert read_csv(whole / "metrics.csv") == read_csv(killed / "metrics.csv")
    for name in ("best.ckpt", "last.ckpt"):
        torch.testing.assert_close(states(whole, name), states(killed, name), rtol=0, atol=0)
    one, other = (load_run(run, "cpu").outputs("test")[0] for run in (whole, killed))
    assert torch.equal(one, other)


def test_the_learning_rate_rises_from_step_to_step(settings, tmp_path):
    rising = OptimiserSettings(0.08, warm_up_steps=8, plateau_patience=99)
    run = fit(run=tmp_path / "run", **settings(epochs=3, optimiser=rising)).run
    rates = [float(row["learning_rate"]) for row in read_csv(run / "metrics.csv")]
    steps = states(run, "last.ckpt")["global_step"] // 3
    assert rates == pytest.approx([0.08 * min(1, steps * epoch / 8) for epoch in (1, 2, 3)])


def test_layers_far_from_the_head_learn_more_slowly(settings, tmp_path):
    slow = OptimiserSettings(0.05, layer_decay=0.5, plateau_patience=99)
    run = fit(run=tmp_path / "run", **settings(epochs=1, optimiser=slow)).run
    groups = states(run, "last.ckpt")["optimizer_states"][0]["param_groups"]
    assert sorted(group["lr"] for group in groups) == pytest.approx([0.0125, 0.025, 0.05])


def test_images_can_take_the_size_of_the_network_and_the_run_records_it(settings, tmp_path):
    made = settings(epochs=1)
    made["model"] = replace(made["model"], own_image_size=True)
    with pytest.raises(ValueError, match="SmallBackbone names no size"):
        fit(run=tmp_path / "run", **made)
    made["model"] = replace(made["model"], backbone=SmallSizedBackbone())
    run = fit(run=tmp_path / "run", **made).run
    assert load_run(run, "cpu").transforms.image_size == (24, 20)
    assert fit(run=run, **made).epochs == 1
