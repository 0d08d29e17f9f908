import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from cellxai.data import record_pixels
from cellxai.data.image_formats import read_pixels
from cellxai.data.loading import cache, prepared
from cellxai.data.loading.cache import cache_key
from cellxai.data.loading.prepared import prepare_all
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Record

TRANSFORMS = Transforms(image_size=(8, 10))


@pytest.fixture
def records(tmp_path, write_image) -> list[Record]:
    paths = [write_image(tmp_path / "images" / f"{i}.png", (30, 40), seed=i) for i in range(6)]
    return [Record(path.stem, path, "a") for path in paths]


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """Names of the files that were decoded."""
    names: list[str] = []

    def spy(record, stack):
        names.append(record.path.name)
        return read_pixels(record, stack)

    monkeypatch.setattr(record_pixels, "read_pixels", spy)
    return names


@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_the_second_time_gives_the_same_without_decoding(tmp_path, records, decoded, colour):
    transforms = Transforms(image_size=(8, 10), colour=colour)
    without = prepare_all(records, transforms)
    assert without.images.is_contiguous()
    first = prepare_all(records, transforms, tmp_path / "cache")
    assert len(decoded) == 12
    second = prepare_all(records, transforms, tmp_path / "cache")
    assert len(decoded) == 12
    for found in (first, second):
        assert torch.equal(found.images, without.images)
        assert found.images.is_contiguous()
        assert (found.records, found.faults) == (without.records, without.faults)


def test_broken_images_are_remembered_with_their_reasons(tmp_path, records, decoded):
    records[2].path.write_bytes(b"broken")
    records[4].path.unlink()
    first = prepare_all(records, TRANSFORMS, tmp_path / "cache")
    second = prepare_all(records, TRANSFORMS, tmp_path / "cache")
    assert len(decoded) == 6
    assert first.faults == second.faults == prepare_all(records, TRANSFORMS).faults
    assert [record.id for record in second.records] == ["0", "1", "3", "5"]
    assert len(second.images) == 4


def test_nothing_readable_is_kept_as_nothing(tmp_path, records):
    for record in records:
        record.path.write_bytes(b"")
    for _ in range(2):
        found = prepare_all(records, TRANSFORMS, tmp_path / "cache")
        assert found.images.shape == (0, 1, 8, 10)
        assert len(found.faults) == 6


def test_no_images_at_all_are_no_error(tmp_path):
    assert prepare_all([], TRANSFORMS, tmp_path / "cache").images.shape == (0, 1, 8, 10)


def test_what_decides_a_pixel_decides_the_key(records, write_image):
    key = cache_key(records, TRANSFORMS)
    assert key == cache_key(list(records), replace(TRANSFORMS))
    others = [
        cache_key(records[::-1], TRANSFORMS),
        cache_key(records[:-1], TRANSFORMS),
        cache_key(records, replace(TRANSFORMS, image_size=(10, 8))),
        cache_key(records, replace(TRANSFORMS, colour="rgb")),
        cache_key(records, replace(TRANSFORMS, clahe=False)),
        cache_key(records, replace(TRANSFORMS, sixteen_bit="full")),
        cache_key(records, replace(TRANSFORMS, percentiles=(1.0, 99.0))),
        cache_key(records, replace(TRANSFORMS, full_scale=4095)),
    ]
    assert len({key, *others}) == 9


@pytest.mark.parametrize(
    "module", ["formats.tiff_stack", "frames.tiff_windows", "tiles.cut", "cells.cut"]
)
def test_changed_code_of_a_format_or_of_a_part_is_another_key(records, monkeypatch, module):
    key = cache_key(records, TRANSFORMS)
    sources = cache.hash_source

    def changed(code):
        return "changed" if code.__name__ == f"cellxai.data.{module}" else sources(code)

    monkeypatch.setattr(cache, "hash_source", changed)
    assert cache_key(records, TRANSFORMS) != key


def test_what_is_drawn_in_every_epoch_does_not(records):
    drawn = replace(TRANSFORMS, crop=4, horizontal_flip=0.1, vertical_flip=0.2, brightness=0.3)
    assert cache_key(records, drawn) == cache_key(records, TRANSFORMS)


def test_transforms_of_a_users_own_have_a_key_of_their_own(records):
    class Mine(Transforms):
        def prepare(self, image):
            return 255 - super().prepare(image)

    assert cache_key(records, Mine(image_size=(8, 10))) != cache_key(records, TRANSFORMS)


def test_a_changed_file_is_not_served_from_before(tmp_path, records, write_image):
    before = prepare_all(records, TRANSFORMS, tmp_path / "cache").images.clone()
    write_image(records[3].path, (30, 40), seed=99)
    after = prepare_all(records, TRANSFORMS, tmp_path / "cache").images
    assert torch.equal(after, prepare_all(records, TRANSFORMS).images)
    assert not torch.equal(after, before)


def test_a_touched_file_is_decoded_again(tmp_path, records, decoded):
    prepare_all(records, TRANSFORMS, tmp_path / "cache")
    os.utime(records[0].path, ns=(0, 12345))
    prepare_all(records, TRANSFORMS, tmp_path / "cache")
    assert len(decoded) == 12


def damage_pixel(cache):
    path = next(cache.glob("*.pixels"))
    content = bytearray(path.read_bytes())
    content[17] ^= 1
    path.write_bytes(content)


def cut_pixels(cache):
    path = next(cache.glob("*.pixels"))
    path.write_bytes(path.read_bytes()[:-1])


def lose_pixels(cache):
    next(cache.glob("*.pixels")).unlink()


def lose_voucher(cache):
    next(cache.glob("*.json")).unlink()


def empty_voucher(cache):
    next(cache.glob("*.json")).write_text("")


def other_voucher(cache):
    next(cache.glob("*.json")).write_text("[1]")


def wrong_shape(cache):
    path = next(cache.glob("*.json"))
    path.write_text(path.read_text().replace("10\n", "-10\n"))


def wrong_reason(cache):
    path = next(cache.glob("*.json"))
    path.write_text(path.read_text().replace('"broken": {}', '"broken": {"0": "no"}'))


@pytest.mark.parametrize(
    "damage",
    [
        damage_pixel, cut_pixels, lose_pixels, lose_voucher, empty_voucher, other_voucher,
        wrong_shape, wrong_reason,
    ],
)  # fmt: skip
def test_a_damaged_cache_is_made_anew(tmp_path, records, decoded, damage):
    cache = tmp_path / "cache"
    sound = prepare_all(records, TRANSFORMS, cache).images.clone()
    before = {path.name: path.read_bytes() for path in cache.iterdir()}
    damage(cache)
    assert {path.name: path.read_bytes() for path in cache.iterdir()} != before
    assert torch.equal(prepare_all(records, TRANSFORMS, cache).images, sound)
    assert len(decoded) == 12
    prepare_all(records, TRANSFORMS, cache)
    assert len(decoded) == 12
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == before


def test_images_that_are_written_to_leave_the_cache_as_it_is(tmp_path, records):
    first = prepare_all(records, TRANSFORMS, tmp_path / "cache").images
    expected = first.clone()
    prepare_all(records, TRANSFORMS, tmp_path / "cache").images.zero_()
    assert torch.equal(prepare_all(records, TRANSFORMS, tmp_path / "cache").images, expected)


def test_an_interrupted_preparation_leaves_nothing_behind(tmp_path, records, monkeypatch):
    def interrupted(record, transforms):
        if record.id == "4":
            raise KeyboardInterrupt
        return transforms.prepare(read_pixels(record))

    monkeypatch.setattr(prepared, "read_prepared", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare_all(records, TRANSFORMS, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.slow
def test_processes_that_fill_a_cache_at_once_do_not_disturb_each_other(tmp_path, records):
    code = (
        "import sys, pathlib\n"
        "from cellxai.data.loading.prepared import prepare_all\n"
        "from cellxai.data.records import Record\n"
        "from cellxai.data.pixels.transforms import Transforms\n"
        "paths = sorted(pathlib.Path(sys.argv[1]).iterdir())\n"
        "records = [Record(path.stem, path, 'a') for path in paths]\n"
        "cache = pathlib.Path(sys.argv[2])\n"
        "for _ in range(20):\n"
        "    for file in cache.glob('[!.]*.json'):\n"
        "        file.unlink(missing_ok=True)\n"
        "    found = prepare_all(records, Transforms(image_size=(8, 10)), cache)\n"
        "    print(int(found.images.sum()))\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "images"), str(tmp_path / "cache")]
    running = [subprocess.Popen(arguments, stdout=subprocess.PIPE) for _ in range(2)]
    outputs = [process.communicate()[0].split() for process in running]
    expected = int(prepare_all(records, TRANSFORMS).images.sum())
    assert outputs == [[str(expected).encode()] * 20] * 2
    files = sorted(path.suffix for path in (tmp_path / "cache").iterdir())
    assert files == [".json", ".pixels"]


def test_prepared_images_are_those_of_the_transforms(tmp_path, records):
    found = prepare_all(records, TRANSFORMS, tmp_path / "cache")
    for record, image in zip(records, found.images, strict=True):
        expected = TRANSFORMS.prepare(read_pixels(record))
        np.testing.assert_array_equal(image.permute(1, 2, 0), expected)
