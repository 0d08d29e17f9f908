"""Every setting of the training reaches the Trainer, and what it does there is what it says."""

from dataclasses import replace
from pathlib import Path

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, Timer
from lightning.pytorch.loggers import CSVLogger

from cellxai.classifier.module import HeadSettings
from cellxai.classifier.optimiser import OptimiserSettings
from cellxai.data.splits import SplitSettings
from cellxai.files.config import build_arguments, read_config
from cellxai.files.folder import RunFolder, read_csv, read_json
from cellxai.training.run_images import load_images
from cellxai.training.run_settings import RunSettings
from cellxai.training.settings import TrainingSettings
from cellxai.training.trainer import new_trainer
from cellxai.verbs.fit import fit
from gmm.commandline.parser import arguments_of


@pytest.fixture
def images(settings):
    return load_images(RunSettings(run=Path("run"), **settings()))[0]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def calm(settings, **training) -> dict:
    """A run in which a batch is the sum of its images: no dropout, no statistics of the batch."""
    given = settings(epochs=2, early_stopping_patience=None, **training)
    model = replace(given["model"], head=HeadSettings(dropout=0.0), frozen_statistics=True)
    return given | {"model": model, "split": SplitSettings(0.0, 1 / 3)}


def test_the_settings_reach_the_trainer(images, tmp_path):
    training = TrainingSettings(
        epochs=7, device="cpu", precision="bf16-mixed", accumulate_batches=3, gradient_clip=0.5
    )
    trainer = new_trainer(images, RunFolder(tmp_path), training)
    assert trainer.max_epochs == 7
    assert trainer.precision == "bf16-mixed"
    assert trainer.accumulate_grad_batches == 3
    assert trainer.gradient_clip_val == 0.5


def test_two_accumulated_batches_of_four_are_one_of_eight(settings, tmp_path):
    one = fit(run=tmp_path / "8", **calm(settings, batch_size=8)).run
    two = fit(run=tmp_path / "4x2", **calm(settings, batch_size=4, accumulate_batches=2)).run
    torch.testing.assert_close(weights(one), weights(two), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_the_validation_loss_does_not_depend_on_the_batches(
    settings, cells, tmp_path, class_weights
):
    for path in sorted((cells / "dark").iterdir())[4:]:
        path.unlink()

    def losses(size: int) -> list[float]:
        still = OptimiserSettings(learning_rate=1e-9, minimum_learning_rate=0.0)
        given = calm(settings, batch_size=size, class_weights=class_weights, optimiser=still)
        folder = RunFolder(
            fit(run=tmp_path / str(size), **given | {"split": SplitSettings(0.4, 0.0)}).run
        )
        return [float(row["validation_loss"]) for row in read_csv(folder.metrics)]

    assert losses(2) == pytest.approx(losses(64), rel=1e-4)


def test_channels_last_changes_the_layout_and_not_the_network(settings, tmp_path):
    one = fit(run=tmp_path / "first", **calm(settings)).run
    other = fit(run=tmp_path / "last", **calm(settings, channels_last=True)).run
    torch.testing.assert_close(weights(one), weights(other), rtol=1e-4, atol=1e-5)
    kernel = weights(other)["backbone.0.weight"]
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    assert not kernel.is_contiguous()


@pytest.mark.slow
def test_a_compiled_network_trains_as_the_plain_one_and_keeps_its_names(settings, tmp_path):
    one = fit(run=tmp_path / "plain", **calm(settings)).run
    other = fit(run=tmp_path / "compiled", **calm(settings, compile=True)).run
    torch.testing.assert_close(weights(one), weights(other), rtol=1e-3, atol=1e-4)


def test_half_precision_trains_and_its_weights_stay_single(settings, tmp_path):
    run = fit(run=tmp_path / "run", **settings(epochs=1, precision="bf16-mixed")).run
    floats = {tensor.dtype for tensor in weights(run).values() if tensor.is_floating_point()}
    assert floats == {torch.float32}


def test_fp16_without_a_device_for_it_is_refused_before_the_work(settings, tmp_path):
    with pytest.raises(
        ValueError, match="16-mixed needs a CUDA device, got cpu; pass bf16-mixed or"
    ):
        fit(run=tmp_path / "run", **settings(precision="16-mixed"))
    assert not (tmp_path / "run").exists()


class Counter(L.Callback):
    """A user's own, which keeps its argument."""

    def __init__(self, name: str = "batches") -> None:
        self.name = name
        self.seen = 0

    def on_train_batch_end(self, trainer, *_) -> None:
        self.seen += 1
        (Path(trainer.default_root_dir) / self.name).write_text(str(self.seen))


def test_a_users_callback_and_logger_take_part_and_start_anew_in_every_run(settings, tmp_path):
    given = settings(epochs=2, callbacks=[Counter()])
    counts = []
    for name in ("a", "b"):
        run = fit(run=tmp_path / name, **given).run
        counts.append((run / "batches").read_text())
    assert counts[0] == counts[1] == str(2 * 4)  # 4 batches of 4 in an epoch
    assert read_config(run / "config.yaml")["training"]["callbacks"] == [
        {"class_path": f"{__name__}.Counter", "init_args": {"name": "batches"}}
    ]


def test_callbacks_and_loggers_of_a_config_are_recorded_and_built_again(tmp_path, settings, cells):
    config = tmp_path / "fit.yaml"
    config.write_text(f"""
data: {{class_path: cellxai.data.readers.folder.ImageFolder, init_args: {{root: {cells}}}}}
run: {tmp_path / "run"}
transforms: {{image_size: [32, 32]}}
model:
  backbone: {{class_path: TimmBackbone, init_args: {{name: test_efficientnet}}}}
training:
  epochs: 1
  device: cpu
  callbacks:
    - {{class_path: EarlyStopping, init_args: {{monitor: train_loss, patience: 9}}}}
    - lightning.pytorch.callbacks.Timer
  loggers:
    - {{class_path: CSVLogger, init_args: {{save_dir: {tmp_path / "logs"}}}}}
""")
    arguments = arguments_of("cellxai fit", fit, ["--config", str(config)])
    run = fit(**arguments).run
    assert list((tmp_path / "logs").rglob("metrics.csv"))
    again = build_arguments(fit, run / "config.yaml")["training"]
    assert [type(callback) for callback in again.callbacks] == [EarlyStopping, Timer]
    assert again.callbacks[0].patience == 9
    assert isinstance(again.loggers[0], CSVLogger)
    assert fit(**build_arguments(fit, run / "config.yaml")).epochs == 1


def test_tensorboards_files_lie_in_the_run_folder(settings, tmp_path):
    pytest.importorskip("tensorboard")
    run = fit(run=tmp_path / "run", **settings(epochs=1, tensorboard=True)).run
    assert list((run / "tensorboard").glob("events*"))


def test_the_balanced_order_reaches_the_training(settings, tmp_path, cells):
    from cellxai.data.loading.settings import LoadingSettings

    for i in range(8):
        (cells / "dark" / f"{i:02}.png").unlink()
    given = settings(epochs=1, callbacks=[Counter()])
    balanced = fit(run=tmp_path / "b", loading=LoadingSettings(order="balanced"), **given).run
    shuffled = fit(run=tmp_path / "s", **given).run
    assert (balanced / "batches").read_text() == (shuffled / "batches").read_text()
    one, other = weights(balanced), weights(shuffled)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_epochs_seeds_and_split_are_recorded(settings, tmp_path):
    split = SplitSettings(seed=4)
    run = fit(run=tmp_path / "run", seed=3, split=split, **settings(epochs=2)).run
    environment = read_json(run / "environment.json")
    assert (environment["seed"], environment["split_seed"]) == (3, 4)
    assert environment["starts"][0]["epoch_seconds"].keys() == {"0", "1"}
    parts = environment["split"]
    assert parts["train"] + parts["validation"] + parts["test"] == 24
    assert len(parts["fingerprint"]) == 64


def test_processes_without_an_image_or_that_nobody_started_are_refused(
    settings, images, tmp_path, monkeypatch
):
    with pytest.raises(ValueError, match="devices=8, but only 6 images validate"):
        new_trainer(images, RunFolder(tmp_path), TrainingSettings(device="cpu", devices=8))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"devices=1, but torchrun started 2 .* pass training"):
        fit(run=tmp_path / "run", **settings())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("mode", [0, 1])
def test_what_makes_steps_repeatable_is_off_again_after_the_training(settings, tmp_path, mode):
    torch.set_deterministic_debug_mode(mode)
    try:
        fit(run=tmp_path / "run", **settings(epochs=1))
        assert torch.get_deterministic_debug_mode() == mode
        assert torch.utils.deterministic.fill_uninitialized_memory
    finally:
        torch.set_deterministic_debug_mode(0)
