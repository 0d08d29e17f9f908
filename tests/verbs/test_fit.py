import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, StochasticWeightAveraging

from cellxai.classifier.module import CellClassifier, HeadSettings, ModelSettings
from cellxai.classifier.optimiser import OptimiserSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.table import Manifest
from cellxai.data.splits import SplitSettings, read_split
from cellxai.files.config import remember_arguments
from cellxai.files.folder import read_csv, read_json
from cellxai.trained.run import load_run
from cellxai.training.settings import TrainingSettings, choose_device
from cellxai.verbs.fit import fit


@pytest.mark.renders
def test_a_run_folder_is_complete_evidence(settings, tmp_path, cells):
    found = fit(run=tmp_path / "run", seed=5, **settings(epochs=2))
    run = found.run
    assert {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()} == {
        "config.yaml", "split.csv", "environment.json", "metrics.csv", "curves.png",
        "checkpoints/best.ckpt", "checkpoints/last.ckpt",
        "checkpoints/best.ckpt.sha256", "checkpoints/last.ckpt.sha256",
    }  # fmt: skip
    environment = read_json(run / "environment.json")
    assert environment["seed"] == 5
    assert environment["versions"]["torch"] == version("torch")
    assert environment["data"]["n_images"] == 24
    assert environment["data"]["classes"] == {"bright": 12, "dark": 12}
    assert len(environment["data"]["fingerprint"]) == 64
    assert environment["finished"]
    assert [start["command"] for start in environment["starts"]] == [environment["command"]]
    assert environment["seconds"] == environment["starts"][0]["seconds"]
    assert [row["epoch"] for row in read_csv(run / "metrics.csv")] == ["0", "1"]
    parts = [row["part"] for row in read_csv(run / "split.csv")]
    assert {part: parts.count(part) for part in set(parts)}.keys() == {
        "train", "validation", "test",
    }  # fmt: skip
    assert (found.epochs, found.n_faults) == (2, 0)


def test_what_has_to_be_known_of_the_data_is_said_and_kept(settings, tmp_path, cells):
    rows = [f"{p.relative_to(cells)},{p.parent.name},g{p.stem}\n" for p in cells.rglob("*.png")]
    rows.remove("dark/00.png,dark,g00\n")
    (cells / "t.csv").write_text("path,label,group\n" + "".join(rows) + "dark/00.png,dark,\n")
    given = settings(epochs=1) | {"data": Manifest(cells / "t.csv")}
    fitted = fit(run=tmp_path / "run", **given)
    line = "group: blank for 1 of 24 images (dark__00)"
    assert f"note: {line}" in str(fitted)
    assert read_json(tmp_path / "run" / "environment.json")["data"]["notes"][0].startswith(line)


def test_the_accuracy_told_is_that_of_the_kept_checkpoint(settings, tmp_path):
    found = fit(run=tmp_path / "run", **settings())
    trained = load_run(found.run, "cpu")
    assert trained.checkpoint == "best"
    right = trained.outputs("validation")[0].argmax(-1) == trained.labels("validation")
    assert found.accuracy == pytest.approx(float(right.double().mean()), abs=1e-6)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(settings, tmp_path, weights):
    runs = [
        fit(run=tmp_path / f"{i}", seed=seed, **settings()).run for i, seed in enumerate((3, 3, 4))
    ]
    first, same, other = (weights(run / "checkpoints" / "last.ckpt") for run in runs)
    torch.testing.assert_close(first, same, rtol=0, atol=0)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_a_test_image_never_enters_the_training(settings, tmp_path, monkeypatch):
    seen: list[torch.Tensor] = []
    forward = CellClassifier.forward

    def spy(self, images: torch.Tensor) -> torch.Tensor:
        seen.extend(images.clone())
        return forward(self, images)

    monkeypatch.setattr(CellClassifier, "forward", spy)
    as_stored = Transforms((32, 32), horizontal_flip=0.0, vertical_flip=0.0, brightness=0.0)
    run = fit(run=tmp_path / "run", **(settings() | {"transforms": as_stored})).run
    trained = load_run(run, "cpu")
    for part in trained.parts:
        images = torch.cat([images for images, _ in trained.images.tensor_batches(part)])
        entered = [any(torch.equal(image, other) for other in seen) for image in images]
        assert entered == [part != "test"] * len(images), part


def test_a_folder_that_holds_another_run_is_refused_by_the_setting_that_differs(settings, tmp_path):
    fit(run=tmp_path / "run", **settings(epochs=1))
    with pytest.raises(ValueError, match=r"training\.batch_size=4, got 8; choose another --run"):
        fit(run=tmp_path / "run", **settings(epochs=1, batch_size=8))
    other = settings(epochs=1) | {"model": ModelSettings(head=HeadSettings(hidden=8))}
    with pytest.raises(ValueError, match=r"model\.(backbone|head)\."):
        fit(run=tmp_path / "run", **other)
    with pytest.raises(ValueError, match="seed=0, got 1"):
        fit(run=tmp_path / "run", seed=1, **settings(epochs=1))


def test_a_run_begun_before_an_option_existed_has_its_default(settings, tmp_path):
    run = fit(run=tmp_path / "run", **settings(epochs=1)).run
    config = (run / "config.yaml").read_text()
    assert "  random_clahe: 0.0\n" in config
    (run / "config.yaml").write_text(config.replace("  random_clahe: 0.0\n", ""))
    assert fit(run=run, **settings(epochs=1)).epochs == 1
    other = settings(epochs=1)
    other["transforms"] = replace(other["transforms"], random_clahe=0.5)
    with pytest.raises(ValueError, match=r"transforms\.random_clahe=0\.0, got 0\.5"):
        fit(run=run, **other)


def test_a_run_folder_may_be_moved(settings, tmp_path):
    fit(run=tmp_path / "run", **settings(epochs=1))
    (tmp_path / "run").rename(tmp_path / "moved")
    assert fit(run=tmp_path / "moved", **settings(epochs=1)).epochs == 1
    assert load_run(tmp_path / "moved", "cpu").folder.root == tmp_path / "moved"


def test_without_a_validation_part_the_last_epoch_is_kept(settings, tmp_path):
    split = SplitSettings(validation_share=0.0)
    found = fit(run=tmp_path / "run", split=split, **settings(epochs=2))
    assert [path.name for path in (found.run / "checkpoints").glob("*.ckpt")] == ["last.ckpt"]
    assert found.accuracy is None
    assert "no validation part" in str(found)
    assert (found.run / "curves.png").exists()
    assert load_run(found.run, "cpu").checkpoint == "last"
    assert {row["validation_loss"] for row in read_csv(found.run / "metrics.csv")} == {""}


def test_faulty_images_are_left_out_counted_and_listed(settings, tmp_path, cells):
    (cells / "dark" / "03.png").write_bytes((cells / "dark" / "03.png").read_bytes()[:90])
    (cells / "loose.png").write_bytes((cells / "dark" / "04.png").read_bytes())
    found = fit(run=tmp_path / "run", **settings(epochs=1))
    assert found.n_faults == 2
    assert "2 faulty images or rows left out" in str(found)
    data = read_json(found.run / "environment.json")["data"]
    assert data["n_images"] == 23
    assert sum("03" in fault for fault in data["faults"]) == 1
    trained = load_run(found.run, "cpu")
    assert sum(len(trained.labels(part)) for part in trained.parts) == 23


def test_one_class_is_too_few(settings, tmp_path, cells):
    for path in (cells / "dark").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="expected at least two classes"):
        fit(run=tmp_path / "run", **settings())
    assert not (tmp_path / "run").exists()


def test_balanced_class_weights_train(settings, tmp_path, cells, weights):
    for i in range(6):
        (cells / "dark" / f"{i:02}.png").unlink()
    even = fit(run=tmp_path / "even", **settings(epochs=1)).run
    balanced = fit(run=tmp_path / "balanced", **settings(epochs=1, class_weights="balanced")).run
    one, other = (weights(run / "checkpoints" / "last.ckpt") for run in (even, balanced))
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_the_split_written_is_the_split_used(settings, tmp_path):
    run = fit(run=tmp_path / "run", **settings(epochs=1)).run
    trained = load_run(run, "cpu")
    written = read_split(run / "split.csv", trained.images.all_records)
    for part in trained.parts:
        assert {record.id for record in trained.images.records(part)} == {
            name for name, its_part in written.items() if its_part == part
        }


def assert_seconds_add_up(environment: dict) -> None:
    """Every start cost something, and the run what they cost together."""
    seconds = [start["seconds"] for start in environment["starts"]]
    assert min(seconds) > 0
    assert environment["seconds"] == pytest.approx(sum(seconds))


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C raises, also where the tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_asked_to_stop_keeps_the_step_and_goes_on_from_there(
    settings, tmp_path, monkeypatch, weights, number
):
    step = CellClassifier.training_step
    steps: list[int] = []

    def interrupted(self, batch, batch_index):
        steps.append(self.trainer.global_step)
        if self.trainer.global_step == 9:  # the second of the four steps of the third epoch
            os.kill(os.getpid(), number)
        return step(self, batch, batch_index)

    monkeypatch.setattr(CellClassifier, "training_step", interrupted)
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        fit(run=tmp_path / "run", **settings())
    assert signal.getsignal(number) is before
    last = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert (last["epoch"], last["global_step"]) == (2, 10)
    assert fit(run=tmp_path / "run", **settings()).epochs == 4
    assert steps == list(range(16))  # none was lost, none was done twice
    environment = read_json(tmp_path / "run" / "environment.json")
    assert len(environment["starts"]) == 2
    assert_seconds_add_up(environment)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_twice_stops_at_once(settings, tmp_path, monkeypatch):
    def interrupted(self, batch, batch_index):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(CellClassifier, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(run=tmp_path / "run", **settings())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not list((tmp_path / "run").rglob("*.ckpt"))


def test_an_address_is_no_run_folder(settings):
    with pytest.raises(ValueError, match="run=https:/host/run: an address is not taken"):
        fit(run=Path("https://host/run"), **settings())
    with pytest.raises(ValueError, match="run=s3:/host/run: an address is not taken"):
        load_run(Path("s3://host/run"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_device_is_refused_before_the_work(settings, tmp_path):
    with pytest.raises(ValueError, match=r"device=cuda.*pass device=auto or cpu"):
        fit(run=tmp_path / "run", **settings(device="cuda"))
    assert not (tmp_path / "run").exists()
    assert choose_device("auto") == torch.device("cpu")


@pytest.mark.parametrize("name", ["epochs", "batch_size"])
def test_numbers_that_train_nothing_are_refused(name):
    with pytest.raises(ValueError, match=rf"training\.{name}=0: expected at least 1"):
        replace(TrainingSettings(), **{name: 0})


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (OptimiserSettings, {"learning_rate": -1.0}),
        (OptimiserSettings, {"learning_rate": float("nan")}),
        (OptimiserSettings, {"plateau_factor": 2.0}),
        (OptimiserSettings, {"plateau_patience": -3}),
        (OptimiserSettings, {"weight_decay": -0.1}),
        (TrainingSettings, {"early_stopping_patience": -1}),
        (HeadSettings, {"hidden": 0}),
        (HeadSettings, {"dropout": 1.5}),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_its_option(kind, wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=rf"\.{name}={value}: expected"):
        kind(**wrong)


def test_a_run_that_never_had_a_checkpoint_gives_way_to_the_corrected_call(settings, tmp_path):
    lacking = remember_arguments(EarlyStopping, monitor="val_loss")
    with pytest.raises(ValueError, match=r"training\.callbacks.*val_loss.*validation_loss"):
        fit(run=tmp_path / "run", **settings(epochs=1, callbacks=[lacking]))
    (tmp_path / "run" / "checkpoints" / "last.ckpt").unlink(missing_ok=True)
    (tmp_path / "run" / "checkpoints" / "best.ckpt").unlink(missing_ok=True)
    assert fit(run=tmp_path / "run", **settings(epochs=2)).epochs == 2


def test_a_last_batch_of_one_is_refused_where_batchnorm_cannot_bear_it(settings, tmp_path):
    given = settings(epochs=1, batch_size=23) | {"split": SplitSettings(0.0, 0.0)}
    tiny = Transforms(image_size=(32, 32), crop=5)  # the convolution leaves a single place
    with pytest.raises(ValueError, match=r"24 training images in batches of 23.*batch_size"):
        fit(run=tmp_path / "run", **given | {"transforms": tiny})
    assert not (tmp_path / "run").exists()
    assert fit(run=tmp_path / "run", **given).epochs == 1  # which has more places than one


def test_a_callback_of_lightning_that_takes_over_the_schedule_trains(settings, tmp_path):
    averaging = remember_arguments(StochasticWeightAveraging, swa_lrs=0.01)
    assert fit(run=tmp_path / "run", **settings(epochs=3, callbacks=[averaging])).epochs >= 3
