from dataclasses import replace
from pathlib import Path

import pytest

from cellxai.data.readers.folder import ImageFolder
from cellxai.data.splits import SplitSettings
from cellxai.training.run_images import load_images
from cellxai.training.run_settings import RunSettings


@pytest.fixture
def run_settings(settings) -> RunSettings:
    return RunSettings(run=Path("run"), **settings())


def test_every_image_is_in_one_part_and_in_the_order_of_the_seed(run_settings):
    images, scan = load_images(replace(run_settings, split=SplitSettings(0.25, 0.25)))
    sizes = [len(images.records(part)) for part in ("train", "validation", "test")]
    assert sizes == [12, 6, 6]
    ids = [r.id for part in ("train", "validation", "test") for r in images.records(part)]
    assert len(set(ids)) == 24
    assert (scan.faults, images.classes) == ((), ("bright", "dark"))
    other, _ = load_images(replace(run_settings, seed=1))
    again, _ = load_images(run_settings)
    first, _ = load_images(run_settings)
    assert list(first.train_order(0)) == list(again.train_order(0)) != list(other.train_order(0))


def test_faults_of_the_reader_are_told_beside_the_images(run_settings, cells):
    (cells / "empty").mkdir()
    images, scan = load_images(run_settings)
    assert len(scan.faults) == 1
    assert "empty" in str(scan.faults[0])
    assert images.classes == ("bright", "dark")


def test_one_class_is_too_few_to_train(run_settings, cells):
    with pytest.raises(ValueError, match=r"found 12 sound images of 1 class\(es\) and 0 faults"):
        load_images(replace(run_settings, data=ImageFolder(cells / "dark")))
