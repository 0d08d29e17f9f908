from dataclasses import replace

import numpy as np
import pytest
import tifffile
from cell_scenes import Scenes, boxes_on, noise, write_scene

from cellxai.data.cells import SingleCells
from cellxai.data.frames.kept import FRAMES
from cellxai.data.image_formats import ImageFault, read_pixels
from cellxai.data.loading.cache import cache_key
from cellxai.data.pixels.corruptions import Corrupted, Darken
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.record_pixels import prepare_record
from cellxai.data.records import Record
from cellxai.data.tiles import Tiles

PIXELS = noise((60, 50, 3))
MASK = boxes_on((60, 50), {1: (2, 3, 9, 12), 7: (14, 10, 30, 22)})
TRANSFORMS = Transforms(image_size=(8, 8))


@pytest.fixture(autouse=True)
def forgotten():
    FRAMES.clear()


@pytest.fixture(params=["png", "tif"])
def scene(tmp_path, request) -> Record:
    record = write_scene(tmp_path, "f", MASK, PIXELS)
    if request.param == "png":
        return record
    path = tmp_path / "f.tif"
    tifffile.imwrite(path, PIXELS, photometric="rgb", tile=(16, 16), compression="zlib")
    return replace(record, path=path)


def test_tiles_are_slices_of_image_and_mask(scene):
    records = Tiles(Scenes([scene]), 20, overlap_px=4).scan().records
    ids = [f"f__tile{row}_{column}" for row in range(4) for column in range(3)]
    assert [record.id for record in records] == ids
    for record in records:
        window = record.load_image.window
        part = np.s_[window.top : window.bottom, window.left : window.right]
        np.testing.assert_array_equal(read_pixels(record), PIXELS[part])
        np.testing.assert_array_equal(record.load_mask(), MASK[part])
        rgb = replace(TRANSFORMS, colour="rgb")
        np.testing.assert_array_equal(prepare_record(record, rgb), rgb.prepare(PIXELS[part]))
    assert {record.group for record in records} == {"f"}


def test_a_group_of_the_image_is_that_of_its_tiles(scene):
    records = Tiles(Scenes([replace(scene, group="patient 1")]), 20).scan().records
    assert {record.group for record in records} == {"patient 1"}


def test_blank_tiles_are_left_out_and_counted(tmp_path):
    pixels = np.full((40, 40), 240, np.uint8)
    pixels[20:, 20:] = noise((20, 20))
    scan = Tiles(Scenes([write_scene(tmp_path, "f", MASK, pixels)]), 20, min_variation=0.05).scan()
    assert [record.id for record in scan.records] == ["f__tile1_1"]
    assert str(scan.notes[0]) == "tiles: 3 of 4 left out: variation below min_variation=0.05"


def test_the_cache_knows_other_tiles_by_their_key(scene):
    keys = {
        cache_key(source.scan().records[:1], TRANSFORMS)
        for source in (Tiles(Scenes([scene]), 20), Tiles(Scenes([scene]), 24))
    }
    assert len(keys) == 2


def test_a_corrupted_image_is_read_whole(scene):
    corrupted = Corrupted(Scenes([scene]), Darken(severity=3))
    (whole,) = corrupted.scan().records
    record = Tiles(corrupted, 20).scan().records[1]
    np.testing.assert_array_equal(read_pixels(record), read_pixels(whole)[:20, 20:40])


def test_cells_of_tiles_are_those_that_lie_within_one(scene):
    tiles = Tiles(Scenes([scene]), 20, edge="drop")
    records = SingleCells(tiles, 8).scan().records
    assert [record.id for record in records] == ["f__tile0_0__cell1"]
    np.testing.assert_array_equal(read_pixels(records[0]), PIXELS[1:9, 3:11])
    assert records[0].group == "f"


def test_a_large_label_file_is_read_where_a_tile_lies(tmp_path):
    from cellxai.data.masks.label_maps import mask_loader

    image, mask = tmp_path / "large.tif", tmp_path / "mask.tif"
    tifffile.memmap(image, shape=(11_000, 10_000), dtype=np.uint8)[10_990:, :4] = 9
    tifffile.memmap(mask, shape=(11_000, 10_000), dtype=np.uint16)[10_995:, :2] = 40_000
    record = Record("large", image, "a", load_mask=mask_loader(mask))
    tiles = Tiles(Scenes([record]), 1000).scan().records
    assert len(tiles) == 110
    assert read_pixels(tiles[100])[-10:, :4].min() == 9
    assert (tiles[100].load_mask() == 40_000).sum() == 5 * 2


class TestAFault:
    def test_a_broken_image_costs_itself(self, scene, tmp_path):
        broken = tmp_path / "broken.tif"
        broken.write_bytes(b"II*\0 none")
        scan = Tiles(Scenes([scene, Record("broken", broken, "a")]), 60).scan()
        assert [record.id for record in scan.records] == ["f__tile0_0"]
        assert [fault.where for fault in scan.faults] == ["image broken"]

    def test_a_mask_of_another_size_is_named(self, scene, tmp_path):
        other = write_scene(tmp_path / "other", "f", MASK[:30], PIXELS)
        record = Tiles(Scenes([replace(scene, load_mask=other.load_mask)]), 20).scan().records[0]
        with pytest.raises(ImageFault, match="30×50 pixels, expected 60×50"):
            record.load_mask()

    def test_too_many_tiles_are_refused_before_they_are_listed(self, tmp_path, monkeypatch):
        from cellxai.data.tiles import tiles

        monkeypatch.setattr(tiles, "MOST_TILES", 5)
        scan = Tiles(Scenes([write_scene(tmp_path, "f", MASK, PIXELS)]), 20).scan()
        assert "60×50 pixels make more than 5 tiles of 20 pixels; pass a larger tile" in str(
            scan.faults[0]
        )

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"tile": 8}, "tile=8: expected 16…8192"),
            ({"overlap_px": 2048}, "overlap_px=2048: expected 0…2047"),
            ({"min_variation": 0.0}, "min_variation=0.0: expected above 0"),
        ],
    )
    def test_an_option_that_cannot_be_is_named(self, options, message):
        with pytest.raises(ValueError, match=message):
            Tiles(Scenes([]), **options)
