"""A run that was killed at any point and started again is the run that was never killed."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cellxai.classifier.module import CellClassifier
from cellxai.classifier.optimiser import OptimiserSettings
from cellxai.files.config import read_config
from cellxai.files.folder import read_csv, read_json
from cellxai.training.checkpoints import AtomicCheckpoints
from cellxai.verbs import fit as training
from cellxai.verbs.fit import fit


class Killed(BaseException):
    """Not an error, so that nothing tidies up after it."""


def kill_at(monkeypatch: pytest.MonkeyPatch, call: int, written: bool) -> None:
    """Ends the process, as it were, before or after the given checkpoint is written."""
    save = AtomicCheckpoints.save_checkpoint
    calls = iter(range(1, 99))

    def save_or_die(self, *arguments, **named) -> None:
        dies = next(calls) == call
        if written or not dies:
            save(self, *arguments, **named)
        if dies:
            raise Killed

    monkeypatch.setattr(AtomicCheckpoints, "save_checkpoint", save_or_die)


def assert_same_run(one: Path, other: Path) -> None:
    """Same table, same best and last weights, same state of optimiser and schedule."""
    assert read_csv(one / "metrics.csv") == read_csv(other / "metrics.csv")
    for name in ("best.ckpt", "last.ckpt"):
        a, b = (torch.load(run / "checkpoints" / name, weights_only=True) for run in (one, other))
        assert a["epoch"] == b["epoch"]
        torch.testing.assert_close(a["state_dict"], b["state_dict"], rtol=0, atol=0)
        torch.testing.assert_close(a["optimizer_states"], b["optimizer_states"], rtol=0, atol=0)
        assert a["lr_schedulers"] == b["lr_schedulers"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Callable[..., Path]:
    """A copy of a run that nobody disturbed; trained once for equal settings, on equal images."""
    made = tmp_path_factory.mktemp("undisturbed")

    def copy_of(name: str, folder: Path, given: dict[str, Any]) -> Path:
        if not (made / name).exists():
            fit(run=made / name, **given)
        return Path(shutil.copytree(made / name, folder / "whole"))

    return copy_of


@pytest.fixture
def whole(settings, tmp_path, undisturbed) -> Path:
    """A run that nobody disturbed."""
    return undisturbed("plain", tmp_path, settings())


# Four batches an epoch. The first two are saved within it, or its first half; then best and last.
INSIDE = {
    "every step": {"checkpoint_every_steps": 1},
    "accumulating": {"checkpoint_every_steps": 1, "accumulate_batches": 2},
    "averaging": {"checkpoint_every_steps": 2, "ema_decay": 0.9},
    "clipping": {"checkpoint_every_steps": 3, "gradient_clip": 0.1, "precision": "bf16-mixed"},
}


@pytest.mark.parametrize("call", [1, 2, 4, 6])
@pytest.mark.parametrize("name", INSIDE)
def test_a_run_killed_inside_an_epoch_continues_as_if_nothing_had_happened(
    settings, tmp_path, monkeypatch, undisturbed, name, call
):
    given = settings(**INSIDE[name], epochs=3)
    undisturbed(name, tmp_path, given)
    with monkeypatch.context() as patch:
        kill_at(patch, call, True)
        with pytest.raises(Killed):
            fit(run=tmp_path / "killed", **given)
    fit(run=tmp_path / "killed", **given)
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


def test_a_checkpoint_inside_an_epoch_is_of_a_step_and_holds_no_half_of_one(
    settings, tmp_path, monkeypatch
):
    seen: list[tuple[int, int]] = []
    save = AtomicCheckpoints.save_checkpoint

    def spy(self, checkpoint, path, **named) -> None:
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]
        seen.append((checkpoint["global_step"], progress["ready"]))
        save(self, checkpoint, path, **named)

    monkeypatch.setattr(AtomicCheckpoints, "save_checkpoint", spy)
    given = settings(epochs=1, checkpoint_every_steps=1, accumulate_batches=2)
    fit(run=tmp_path / "run", **given)
    assert seen == [(1, 2), (2, 4), (2, 4)]  # within the epoch, then its best and its last


def test_how_often_it_is_saved_changes_nothing(settings, tmp_path, whole):
    fit(run=tmp_path / "often", **settings(checkpoint_every_steps=1))
    assert_same_run(whole, tmp_path / "often")


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_a_run_killed_at_any_checkpoint_continues_as_if_nothing_had_happened(
    settings, tmp_path, monkeypatch, whole, call, written
):
    with monkeypatch.context() as patch:
        kill_at(patch, call, written)
        with pytest.raises(Killed):
            fit(run=tmp_path / "killed", **settings())
    assert not training.is_finished(training.RunFolder(tmp_path / "killed"))
    fit(run=tmp_path / "killed", **settings())
    assert_same_run(whole, tmp_path / "killed")


@pytest.mark.parametrize("written", [False, True])
def test_the_first_epoch_stays_the_best_though_killed_between_two_checkpoints(
    settings, tmp_path, monkeypatch, written
):
    def worse_every_epoch(self, batch, batch_index) -> None:
        self.log("validation_loss", float(self.trainer.current_epoch))
        self.log("validation_accuracy", 0.5)

    monkeypatch.setattr(CellClassifier, "validation_step", worse_every_epoch)
    fit(run=tmp_path / "whole", **settings(epochs=2))
    with monkeypatch.context() as patch:
        kill_at(patch, 1, written)
        with pytest.raises(Killed):
            fit(run=tmp_path / "killed", **settings(epochs=2))
    fit(run=tmp_path / "killed", **settings(epochs=2))
    assert_same_run(tmp_path / "whole", tmp_path / "killed")
    best = torch.load(tmp_path / "killed" / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["epoch"] == 0


def test_the_plateau_lowered_the_rate_in_these_runs(whole):
    rates = [float(row["learning_rate"]) for row in read_csv(whole / "metrics.csv")]
    assert rates[0] == 0.05
    assert rates[-1] < rates[0]


def test_a_cosine_schedule_falls_to_its_minimum_and_survives_a_kill(
    settings, tmp_path, monkeypatch
):
    cosine = OptimiserSettings(0.01, minimum_learning_rate=1e-4, schedule="cosine")
    fit(run=tmp_path / "whole", **settings(optimiser=cosine))
    rates = [float(row["learning_rate"]) for row in read_csv(tmp_path / "whole" / "metrics.csv")]
    expected = [1e-4 + (0.01 - 1e-4) * (1 + math.cos(math.pi * i / 4)) / 2 for i in range(4)]
    assert rates == pytest.approx(expected)
    with monkeypatch.context() as patch:
        kill_at(patch, 2, True)
        with pytest.raises(Killed):
            fit(run=tmp_path / "killed", **settings(optimiser=cosine))
    fit(run=tmp_path / "killed", **settings(optimiser=cosine))
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.parametrize("patience", [None, 1])
def test_a_run_killed_after_its_last_epoch_is_not_trained_further(
    settings, tmp_path, monkeypatch, patience
):
    options = {"early_stopping_patience": patience, "epochs": 12 if patience else 3}
    whole = fit(run=tmp_path / "whole", **settings(**options))
    assert whole.epochs < 12

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(training, "draw_curves", die)
        with pytest.raises(Killed):
            fit(run=tmp_path / "killed", **settings(**options))
    fit(run=tmp_path / "killed", **settings(**options))
    assert_same_run(whole.run, tmp_path / "killed")


def test_a_finished_run_is_read_and_not_trained_again(settings, tmp_path, monkeypatch):
    whole = fit(run=tmp_path / "whole", **settings()).run
    monkeypatch.setattr(training, "train", None)
    monkeypatch.setattr(training, "load_images", None)
    again = fit(run=whole, **settings())
    assert again.epochs == 4
    assert str(again).startswith(f"{whole}: 4 epochs in ")


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_a_run_that_is_trained_further_is_the_run_that_was_asked_for_so_many_epochs(
    settings, tmp_path, ema_decay
):
    whole = fit(run=tmp_path / "whole", **settings(epochs=6, ema_decay=ema_decay)).run
    fit(run=tmp_path / "run", **settings(epochs=3, ema_decay=ema_decay))
    result = fit(run=tmp_path / "run", **settings(epochs=6, ema_decay=ema_decay))
    assert (result.epochs, result.notes) == (6, ())
    assert_same_run(whole, result.run)
    assert len(read_json(result.run / "environment.json")["starts"]) == 2
    assert read_config(result.run / "config.yaml")["training"]["epochs"] == 6


def test_a_run_that_stopped_early_goes_on_with_more_patience(settings, tmp_path):
    short = fit(run=tmp_path / "run", **settings(epochs=12, early_stopping_patience=1))
    assert short.epochs < 12
    longer = settings(epochs=14, early_stopping_patience=3)
    whole, result = (fit(run=tmp_path / name, **longer) for name in ("whole", "run"))
    assert result.epochs > short.epochs
    assert_same_weights(whole.run, result.run)
    assert fit(run=tmp_path / "run", **longer).epochs == result.epochs


def assert_same_weights(one: Path, other: Path) -> None:
    assert read_csv(one / "metrics.csv") == read_csv(other / "metrics.csv")
    a, b = (torch.load(run / "checkpoints/best.ckpt", weights_only=True) for run in (one, other))
    torch.testing.assert_close(a["state_dict"], b["state_dict"], rtol=0, atol=0)


def test_a_cosine_that_is_trained_further_goes_on_as_the_longer_one_and_says_so(settings, tmp_path):
    cosine = OptimiserSettings(0.01, minimum_learning_rate=1e-4, schedule="cosine")
    fit(run=tmp_path / "run", **settings(epochs=4, optimiser=cosine))
    result = fit(run=tmp_path / "run", **settings(epochs=8, optimiser=cosine))
    rates = [float(row["learning_rate"]) for row in read_csv(result.run / "metrics.csv")]
    wave = lambda i, n: 1e-4 + (0.01 - 1e-4) * (1 + math.cos(math.pi * i / n)) / 2  # noqa: E731
    assert rates == pytest.approx(
        [wave(i, 4) for i in range(4)] + [wave(i, 8) for i in range(4, 8)]
    )
    assert "cosine over 8 epochs: it first rises again" in str(result)


def test_a_run_killed_while_it_is_trained_further_goes_on(settings, tmp_path, monkeypatch):
    whole = fit(run=tmp_path / "whole", **settings(epochs=6)).run
    fit(run=tmp_path / "killed", **settings(epochs=3))
    with monkeypatch.context() as patch:
        kill_at(patch, 2, True)
        with pytest.raises(Killed):
            fit(run=tmp_path / "killed", **settings(epochs=6))
    fit(run=tmp_path / "killed", **settings(epochs=6))
    assert_same_run(whole, tmp_path / "killed")


def test_a_run_goes_on_with_the_images_that_it_began_with_alone(settings, cells, tmp_path):
    fit(run=tmp_path / "run", **settings(epochs=1))
    evaluation = tmp_path / "run" / "evaluation"
    evaluation.mkdir()
    before = (tmp_path / "run" / "split.csv").read_bytes()
    shutil.copy(cells / "dark" / "00.png", cells / "dark" / "new.png")
    with pytest.raises(ValueError, match="holds a run on other images"):
        fit(run=tmp_path / "run", **settings(epochs=2))
    assert (tmp_path / "run" / "split.csv").read_bytes() == before
    assert evaluation.exists()
    (cells / "dark" / "new.png").unlink()
    result = fit(run=tmp_path / "run", **settings(epochs=2))
    assert result.epochs == 2
    line = "evaluation: of the weights after 1 epochs, now NAME-1-epochs; ask again"
    assert result.notes == (line,)


def test_a_run_that_was_moved_remembers_its_best_epoch(settings, tmp_path, monkeypatch):
    def worse_every_epoch(self, batch, batch_index) -> None:
        self.log("validation_loss", float(self.trainer.current_epoch))
        self.log("validation_accuracy", 0.5)

    monkeypatch.setattr(CellClassifier, "validation_step", worse_every_epoch)
    run = fit(run=tmp_path / "run", **settings(epochs=2)).run
    moved = run.rename(tmp_path / "moved")
    fit(run=moved, **settings(epochs=4))
    best = torch.load(moved / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["epoch"] == 0
    assert len(read_csv(moved / "metrics.csv")) == 4
