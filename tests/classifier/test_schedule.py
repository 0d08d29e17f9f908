import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

from cellxai.classifier.optimiser import OptimiserSettings
from cellxai.classifier.schedule import LearningRate, cosine_rate, warm_up_factor


def optimiser(*factors: float) -> torch.optim.Optimizer:
    """An optimiser with a group for each factor."""
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "layer_factor": factor}
        for factor in factors or (1.0,)
    ]
    return torch.optim.SGD(groups, lr=0.0)


def rates(schedule: LearningRate, losses: list[float], steps: int) -> list[list[float]]:
    """The rate of each step of each epoch, of the first group."""
    found = []
    for epoch, loss in enumerate(losses):
        found.append([])
        for step in range(steps):
            schedule.begin_step(epoch * steps + step)
            found[-1].append(schedule.optimizer.param_groups[0]["lr"])
        schedule.end_epoch(epoch, loss)
    return found


def test_the_warm_up_rises_by_equal_steps_and_ends_at_the_whole_rate():
    assert [warm_up_factor(step, 4) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert warm_up_factor(0, 0) == 1.0


@pytest.mark.parametrize("n_epochs", [1, 5])
def test_the_cosine_is_that_of_torch(n_epochs):
    reference = optimiser()
    reference.param_groups[0]["lr"] = 0.3
    schedule = CosineAnnealingLR(reference, n_epochs, 0.01)
    for epoch in range(n_epochs):
        assert reference.param_groups[0]["lr"] == pytest.approx(
            cosine_rate(epoch, n_epochs, 0.3, 0.01)
        )
        reference.step()
        schedule.step()


@given(
    losses=st.lists(st.sampled_from([0.5, 0.9, 0.99999, 1.0, 2.0, math.nan]), max_size=30),
    patience=st.integers(0, 3),
    cooldown=st.integers(0, 5),
    threshold=st.sampled_from([0.0, 1e-4, 0.2]),
    higher=st.booleans(),
)
def test_the_plateau_is_that_of_torch(losses, patience, cooldown, threshold, higher):
    settings = OptimiserSettings(
        0.4, plateau_patience=patience, plateau_cooldown=cooldown, plateau_threshold=threshold,
        minimum_learning_rate=0.05,
    )  # fmt: skip
    reference = optimiser()
    reference.param_groups[0]["lr"] = 0.4
    torchs = ReduceLROnPlateau(
        reference, "max" if higher else "min", factor=0.8, patience=patience, cooldown=cooldown,
        threshold=threshold, min_lr=0.05,
    )  # fmt: skip
    ours = LearningRate(optimiser(), settings, 30, 0, higher)
    for epoch, loss in enumerate(losses):
        torchs.step(loss)
        ours.end_epoch(epoch, loss)
        assert ours.progress.rate == pytest.approx(reference.param_groups[0]["lr"])


def test_a_rate_below_the_minimum_is_never_raised():
    for kind in ("plateau", "cosine"):
        settings = OptimiserSettings(1e-6, plateau_patience=0, schedule=kind)
        found = rates(LearningRate(optimiser(), settings, 4, 0), [1.0] * 4, 1)
        assert max(map(max, found)) == 1e-6


def test_each_step_has_the_rate_of_its_epoch_times_the_warm_up_times_its_layer():
    settings = OptimiserSettings(0.1, minimum_learning_rate=0.02, schedule="cosine")
    schedule = LearningRate(optimiser(1.0, 0.5), settings, 4, 5)
    for epoch in range(4):
        wave = 0.02 + 0.08 * (1 + math.cos(math.pi * epoch / 4)) / 2
        for step in range(3):
            schedule.begin_step(number := epoch * 3 + step)
            first, second = (group["lr"] for group in schedule.optimizer.param_groups)
            assert first == pytest.approx(wave * min(1, (number + 1) / 5))
            assert second == pytest.approx(first / 2)
        schedule.end_epoch(epoch, 1.0)


@pytest.mark.parametrize("kind", ["plateau", "cosine"])
def test_a_schedule_taken_up_from_its_state_goes_on_as_if_it_had_not_been_left(kind):
    settings = OptimiserSettings(0.1, plateau_patience=1, schedule=kind)
    losses = [1.0, 1.1, 0.9, 1.0, 1.0, 1.0, 1.0]
    whole = rates(LearningRate(optimiser(), settings, 7, 8), losses, 3)
    for stop in range(7):
        first = LearningRate(optimiser(), settings, 7, 8)
        rates(first, losses[:stop], 3)
        second = LearningRate(optimiser(), settings, 7, 8)
        second.load_state_dict(first.state_dict())
        second.begin_step(stop * 3 + 1)  # inside the epoch
        assert second.optimizer.param_groups[0]["lr"] == whole[stop][1]
