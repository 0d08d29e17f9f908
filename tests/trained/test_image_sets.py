from dataclasses import replace

import numpy as np
import pytest
import torch

from cellxai.data.image_formats import read_image
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.pixels.corruptions import Darken
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.folder import ImageFolder
from cellxai.files.folder import RunFolder
from cellxai.trained.image_sets import Outputs, PixelFeatures, join_sets, to_picture
from cellxai.trained.rows import HeldRows


@pytest.fixture
def source(cells, tmp_path) -> PixelFeatures:
    """The pixels of all images, of which the bright ones are for the test."""
    scan = ImageFolder(cells).scan()
    parts = {r.id: "test" if r.label == "bright" else "train" for r in scan.records}
    transforms = Transforms(image_size=(32, 32), clahe=False)
    images = CellImages(scan.records, parts, scan.classes, transforms, 4)
    images.setup()
    return PixelFeatures(RunFolder(tmp_path / "run"), images)


def test_features_of_pixels_are_the_image_itself(source):
    train = source.part("train")
    assert [record.label for record in train.records] == ["dark"] * 12
    assert train.features.dtype == torch.float64
    assert train.logits is None
    for record, features in zip(train.records, train.features, strict=True):
        expected = read_image(record.path).flatten() / 255
        np.testing.assert_allclose(features, expected)


def test_some_rows_and_sets_joined_keep_each_image_with_its_features(source):
    train, test = source.part("train"), source.part("test")
    both = join_sets([train, test])
    chosen = both.some(torch.tensor([20, 0, 13]))
    assert [r.id for r in chosen.records] == [
        test.records[8].id, train.records[0].id, test.records[1].id,
    ]  # fmt: skip
    assert torch.equal(chosen.features[0], test.features[8])
    assert torch.equal(chosen.pictures[1], train.pictures[0])
    with_logits = replace(both, logits=torch.arange(48.0).double().reshape(24, 2))
    assert with_logits.some(torch.tensor([5])).logits.tolist() == [[10, 11]]


def test_another_set_is_prepared_alike_and_its_broken_images_are_faults(source, cells):
    broken = sorted((cells / "dark").glob("*.png"))[3]
    broken.write_bytes(b"broken")
    other = source.other("others", ImageFolder(cells))
    assert len(other.records) == 23
    assert [broken.stem in str(fault) for fault in other.faults] == [True]
    for path in cells.rglob("*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(ValueError, match="unfamiliar='others': none of 24 images can be read"):
        source.other("others", ImageFolder(cells))


def test_corrupted_images_keep_their_ids(source):
    test = source.part("test")
    dark = source.corrupted("dark", test.records, Darken(5), 0)
    assert [record.id for record in dark.records] == [record.id for record in test.records]
    assert (dark.features.mean(1) < 0.5 * test.features.mean(1)).all()


def test_a_grey_picture_has_no_axis_of_colours():
    planes = torch.arange(24, dtype=torch.uint8).reshape(3, 2, 4)
    np.testing.assert_array_equal(to_picture(planes[:1]), planes[0])
    assert to_picture(planes).shape == (2, 4, 3)
    assert to_picture(planes)[1, 2].tolist() == planes[:, 1, 2].tolist()


def test_rows_that_are_too_many_to_hold_are_looked_at_anew(source, monkeypatch):
    looked = []

    def look(batch: torch.Tensor) -> Outputs:
        looked.append(len(batch))
        return Outputs(None, batch.flatten(1), HeldRows({"mean": batch.mean((2, 3))}))

    source.look = look
    held = source.part("train").rows
    n = len(looked)
    chosen = torch.tensor([7, 0, 3])
    expected = held.of(chosen)["mean"]
    assert len(looked) == n
    monkeypatch.setattr("cellxai.trained.image_sets.HELD_BYTES", 100)
    train = source.part("train")
    torch.testing.assert_close(train.some(chosen).rows.of(torch.arange(3))["mean"], expected)
    assert looked[-1] == 3
    assert len(train.rows) == 12
