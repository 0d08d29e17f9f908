from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from PIL import Image

from cellxai.data import record_pixels
from cellxai.data.image_formats import read_image
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.loading.settings import LoadingSettings
from cellxai.data.pixels.tensor_augment import TensorImages
from cellxai.data.pixels.transforms import Transforms, augmentation_seed, to_tensor
from cellxai.data.records import Record

TRANSFORMS = Transforms(image_size=(8, 10), clahe=False)
N_TRAIN = 11


@pytest.fixture
def records(tmp_path, write_image) -> list[Record]:
    paths = [write_image(tmp_path / f"{i}.png", seed=i) for i in range(16)]
    return [Record(path.stem, path, "ab"[i % 2]) for i, path in enumerate(paths)]


@pytest.fixture
def parts(records) -> dict[str, str]:
    names = ["train"] * N_TRAIN + ["validation"] * 3 + ["test"] * 2
    return {record.id: name for record, name in zip(records, names, strict=True)}


@pytest.fixture
def data(records, parts) -> CellImages:
    return CellImages(records, parts, ("a", "b"), TRANSFORMS, batch_size=4, seed=7)


def test_images_and_labels_are_those_of_the_records_in_order(data, records):
    assert data.records("train") == tuple(records[:N_TRAIN])
    assert data.labels("train").tolist() == [i % 2 for i in range(N_TRAIN)]
    assert data.images("train").shape == (N_TRAIN, 1, 8, 10)
    for image, record in zip(data.images("test"), data.records("test"), strict=True):
        expected = TRANSFORMS.prepare(read_image(record.path))
        np.testing.assert_array_equal(image.permute(1, 2, 0), expected)


def test_a_file_is_read_once(data, records):
    before = data.images("train").clone()
    for record in records:
        record.path.unlink()
    data.setup("fit")
    assert torch.equal(data.images("train"), before)


def test_only_the_parts_that_are_used_are_read(data, records):
    for record in records[:N_TRAIN]:
        record.path.unlink()
    assert len(data.images("test")) == 2
    assert data.records("validation") == tuple(records[N_TRAIN : N_TRAIN + 3])
    assert len(data.faults) == N_TRAIN


def test_plain_batches_are_the_images_in_order_in_0_to_1(data):
    batches = list(data.tensor_batches("train", 4))
    assert [len(labels) for _, labels in batches] == [4, 4, 3]
    images = torch.cat([images for images, _ in batches])
    assert images.shape == (N_TRAIN, 3, 8, 10)
    assert torch.equal((images[:, 1] * 255).round().byte(), data.images("train")[:, 0])
    assert torch.equal(torch.cat([labels for _, labels in batches]), data.labels("train"))


@pytest.mark.parametrize("part", ["validation", "test"])
def test_loaders_for_judging_do_not_augment(data, part):
    loader = data.val_dataloader() if part == "validation" else data.test_dataloader()
    pairs = zip(loader, data.tensor_batches(part), strict=True)
    assert all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in pairs)


def epoch_of(data: CellImages, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    images, labels = zip(*loader, strict=True)
    return torch.cat(images), torch.cat(labels)


def test_an_epoch_is_a_permutation_of_images_each_augmented_by_seed_epoch_and_index(data):
    expected = {
        to_tensor(
            TRANSFORMS.augment(image.permute(1, 2, 0).numpy(), augmentation_seed(7, 3, index))
        )
        .numpy()
        .tobytes(): int(label)
        for index, (image, label) in enumerate(
            zip(data.images("train"), data.labels("train"), strict=True)
        )
    }
    found = {
        image.numpy().tobytes(): int(label) for image, label in zip(*epoch_of(data, 3), strict=True)
    }
    assert found == expected


def test_epochs_repeat_with_their_number_and_differ_from_each_other(data):
    assert torch.equal(epoch_of(data, 1)[0], epoch_of(data, 1)[0])
    assert not torch.equal(epoch_of(data, 1)[0], epoch_of(data, 2)[0])


def test_batch_size_changes_batches_and_nothing_else(data, records, parts):
    other = CellImages(records, parts, ("a", "b"), TRANSFORMS, batch_size=5, seed=7)
    assert torch.equal(epoch_of(data, 1)[0], epoch_of(other, 1)[0])


def test_a_broken_image_is_reported_and_the_rest_kept(records, parts):
    records[1].path.write_bytes(b"broken")
    data = CellImages(records, parts, ("a", "b"), TRANSFORMS)
    assert len(data.images("train")) == len(data.labels("train")) == N_TRAIN - 1
    assert records[1] not in data.records("train")
    assert [fault.where for fault in data.faults] == ["image 1"]
    assert str(records[1].path) in data.faults[0].what


def test_all_images_broken_is_an_error_that_shows_the_first(records, parts):
    for record in records:
        record.path.unlink()
    with pytest.raises(ValueError, match=r"none of 16 images can be read, the first: .*0\.png"):
        CellImages(records, parts, ("a", "b"), TRANSFORMS).setup()


def test_an_empty_part_is_empty_and_not_an_error_unless_it_trains(records, parts):
    only_test = dict.fromkeys(parts, "test")
    data = CellImages(records, only_test, ("a", "b"), TRANSFORMS)
    assert data.images("train").shape == (0, 1, 8, 10)
    assert list(data.tensor_batches("validation")) == []
    assert len(data.val_dataloader()) == 0
    with pytest.raises(
        ValueError, match="part 'train' has 0 images, expected at least one to train on"
    ):
        data.train_dataloader()


def test_unknown_classes_and_parts_are_refused(records, parts, data):
    with pytest.raises(ValueError, match="labels b, expected a"):
        CellImages(records, parts, ("a",), TRANSFORMS)
    with pytest.raises(ValueError, match="part valid, expected train, validation, test"):
        data.images("valid")


class Tiny(L.LightningModule):
    """A linear classifier that remembers the sums of the batches it saw."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(3 * 8 * 10, 2)
        self.seen: list[float] = []

    def training_step(self, batch, index):
        images, labels = batch
        self.seen.append(images.sum().item())
        return torch.nn.functional.cross_entropy(self.layer(images.flatten(1)), labels)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def trained(data: CellImages, folder: Path, resume_from: Path | None = None) -> Tiny:
    model = Tiny()
    saver = ModelCheckpoint(folder, "{step}", save_top_k=-1, every_n_train_steps=1)
    trainer = L.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        callbacks=[saver],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, datamodule=data, ckpt_path=resume_from, weights_only=True)
    return model


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 8])
@pytest.mark.filterwarnings("error:You're resuming")
def test_a_run_killed_after_any_step_resumes_as_if_nothing_had_happened(
    records, parts, tmp_path, step
):
    def fresh() -> CellImages:
        return CellImages(records, parts, ("a", "b"), TRANSFORMS, batch_size=4, seed=7)

    whole = trained(fresh(), tmp_path / "whole")  # 3 epochs of 3 steps
    checkpoint = tmp_path / "whole" / f"step={step}.ckpt"
    resumed = trained(fresh(), tmp_path / "resumed", checkpoint)
    assert resumed.seen == whole.seen[step:]
    assert torch.equal(resumed.layer.weight, whole.layer.weight)


@pytest.fixture
def tensor_data(records, parts) -> CellImages:
    loading = LoadingSettings(pipeline="tensor")
    return CellImages(records, parts, ("a", "b"), TRANSFORMS, batch_size=4, seed=7, loading=loading)


def test_the_tensor_pipeline_takes_the_same_images_in_the_same_order(data, tensor_data):
    images, labels = epoch_of(tensor_data, 3)
    assert images.shape == (N_TRAIN, 3, 8, 10)
    assert torch.equal(labels, epoch_of(data, 3)[1])
    in_order = tensor_data.train_order(3)
    expected = TensorImages(data.images("train"), data.labels("train"), TRANSFORMS, 7)
    assert torch.equal(images, expected.batch(3, in_order)[0])


def test_the_tensor_pipeline_resumes_as_if_nothing_had_happened(records, parts, tmp_path):
    def fresh() -> CellImages:
        return CellImages(
            records, parts, ("a", "b"), TRANSFORMS, 4, 7, LoadingSettings(pipeline="tensor")
        )

    whole = trained(fresh(), tmp_path / "whole")
    resumed = trained(fresh(), tmp_path / "resumed", tmp_path / "whole" / "step=5.ckpt")
    assert resumed.seen == whole.seen[5:]
    assert torch.equal(resumed.layer.weight, whole.layer.weight)


def test_a_cache_serves_later_runs_without_a_file_to_decode(records, parts, tmp_path, monkeypatch):
    def fresh() -> CellImages:
        loading = LoadingSettings(cache=tmp_path / "cache")
        return CellImages(records, parts, ("a", "b"), TRANSFORMS, 4, 7, loading)

    first = epoch_of(fresh(), 1)
    monkeypatch.setattr(record_pixels, "read_pixels", None)
    again = epoch_of(fresh(), 1)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


def test_16_bit_images_are_read_or_reported_as_the_rule_says(records, parts):
    deep = np.random.default_rng(0).integers(100, 4096, (12, 16)).astype(np.uint16)
    Image.fromarray(deep).save(records[0].path)
    assert CellImages(records, parts, ("a", "b"), TRANSFORMS).images("train")[0].float().std() > 30
    strict = Transforms(image_size=(8, 10), clahe=False, sixteen_bit="refuse")
    faults = CellImages(records, parts, ("a", "b"), strict).faults
    assert [str(fault).split(";")[0] for fault in faults] == [
        "image 0: 16-bit pixels, and sixteen_bit=refuse"
    ]
