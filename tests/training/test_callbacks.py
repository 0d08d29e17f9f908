from types import SimpleNamespace
from unittest.mock import Mock

import lightning as L
import pytest
import torch

from cellxai.files.folder import read_csv, read_json, write_json
from cellxai.training.callbacks import MetricsTable, StepSeed, Stopwatch


def trainer(**changes) -> Mock:
    """As much of a trainer as a callback asks for."""
    groups = [{"lr": 1e-4}, {"lr": 1e-3}]
    given = {
        "current_epoch": 0, "num_training_batches": 10, "global_rank": 0, "is_global_zero": True,
        "callback_metrics": {}, "optimizers": [SimpleNamespace(param_groups=groups)],
    }  # fmt: skip
    return Mock(spec=L.Trainer, **given | changes)


MODULE = Mock(spec=L.LightningModule, device=torch.device("cpu"))


def drawn(seed: int, batch: int, **changes) -> list[float]:
    StepSeed(seed).on_train_batch_start(trainer(**changes), MODULE, None, batch)
    return torch.rand(3).tolist()


def test_what_a_batch_draws_follows_from_seed_number_and_process_alone():
    first = drawn(0, 3)
    torch.rand(17)
    assert drawn(0, 3) == first
    others = [drawn(1, 3), drawn(0, 4), drawn(0, 3, global_rank=1), drawn(0, 3, current_epoch=1)]
    assert len({tuple(numbers) for numbers in (first, *others)}) == 5
    assert drawn(0, 13) == drawn(0, 3, current_epoch=1)  # the number of the batch in the run


def test_a_resumed_table_keeps_the_finished_epochs_alone(tmp_path):
    path = tmp_path / "metrics.csv"
    first, resumed = MetricsTable(path), MetricsTable(path)
    for epoch in range(4):
        first.on_train_epoch_end(trainer(current_epoch=epoch), MODULE)
    resumed.on_train_start(trainer(current_epoch=2), MODULE)
    metrics = {"train_loss": torch.tensor(0.1234567), "other": torch.tensor(1.0)}
    resumed.on_train_epoch_end(trainer(current_epoch=2, callback_metrics=metrics), MODULE)
    rows = read_csv(path)
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert [row["train_loss"] for row in rows] == ["", "", "0.123457"]
    assert rows[2]["learning_rate"] == "0.001"  # the highest of the groups


@pytest.mark.parametrize("callback", [MetricsTable, Stopwatch])
def test_of_several_processes_one_writes(tmp_path, callback):
    path = tmp_path / "file"
    one_of_many = trainer(is_global_zero=False)
    called = callback(path)
    if callback is Stopwatch:
        called.on_train_epoch_start(one_of_many, MODULE)
    called.on_train_epoch_end(one_of_many, MODULE)
    if callback is Stopwatch:
        called.on_train_end(one_of_many, MODULE)
    assert not path.exists()


def test_the_cost_of_a_start_is_added_to_that_of_the_earlier_ones(tmp_path, monkeypatch):
    path = tmp_path / "environment.json"
    write_json(path, {"starts": [{"seconds": 10.0}, {}], "seed": 3})
    now = iter([100.0, 101.0, 101.5, 104.0, 104.0])
    clock = SimpleNamespace(perf_counter=lambda: next(now))
    monkeypatch.setattr("cellxai.training.callbacks.time", clock)
    watch = Stopwatch(path)
    watch.on_train_epoch_start(trainer(current_epoch=2), MODULE)
    watch.on_train_epoch_end(trainer(current_epoch=2), MODULE)
    watch.on_train_end(trainer(), MODULE)
    environment = read_json(path)
    assert environment["starts"][1] == {"seconds": 4.0, "epoch_seconds": {"2": 0.5}}
    assert (environment["seconds"], environment["seed"]) == (14.0, 3)
