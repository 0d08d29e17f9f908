from dataclasses import replace

import numpy as np
import pytest
from cell_scenes import Scenes, boxes_on, noise, write_scene
from hypothesis import given, settings
from hypothesis import strategies as st

from cellxai.data.cells import SingleCells
from cellxai.data.frames.kept import FRAMES
from cellxai.data.image_formats import ImageFault, read_pixels
from cellxai.data.pixels.corruptions import Blur, Crop, Noise, corrupt_records
from cellxai.data.pixels.transforms import Transforms, equalise, resize
from cellxai.data.record_pixels import prepare_record, read_8_bits
from cellxai.data.statistics import read_statistics

MASK = boxes_on((60, 80), {4: (20, 30, 32, 38), 9: (22, 40, 30, 46)})
WINDOW = np.s_[18:34, 26:42]  # 16 pixels around the middle of cell 4; it shows a part of cell 9
PLAIN = Transforms(image_size=(16, 16), clahe=False)


def cells_of(record, **options):
    return {r.id: r for r in SingleCells(Scenes([record]), 16, **options).scan().records}


@pytest.fixture(autouse=True)
def forgotten():
    FRAMES.clear()


@pytest.mark.parametrize("shape", [(60, 80), (60, 80, 3)])
def test_a_crop_is_a_slice_of_the_file(tmp_path, shape):
    pixels = noise(shape)
    record = cells_of(write_scene(tmp_path, "f", MASK, pixels))["f__cell4"]
    np.testing.assert_array_equal(read_pixels(record), pixels[WINDOW])


def test_the_mask_shows_the_cell_alone_where_its_crop_does(tmp_path):
    record = cells_of(write_scene(tmp_path, "f", MASK, noise((60, 80))))["f__cell4"]
    np.testing.assert_array_equal(record.load_mask(), MASK[WINDOW] == 4)


def test_pieces_of_a_mask_keep_its_labels_in_their_own_crop(tmp_path):
    mask = boxes_on((60, 80), {1: (20, 30, 32, 38), 2: (24, 32, 28, 36)})
    mask[22:30, 40:46] = 1
    scene = write_scene(tmp_path, "f", mask, noise((60, 80)))
    record = cells_of(scene, instances="connected")["f__cell1"]
    expected = np.where(boxes_on((60, 80), {1: (20, 30, 32, 38)}), mask, 0)[WINDOW]
    np.testing.assert_array_equal(record.load_mask(), expected)


@pytest.mark.parametrize("shape", [(60, 80), (60, 80, 3)])
def test_blanked_neighbours_show_the_median_of_the_background(tmp_path, shape):
    pixels = noise(shape)
    record = cells_of(write_scene(tmp_path, "f", MASK, pixels), neighbours="blank")["f__cell4"]
    outside = np.sort(pixels[MASK == 0], axis=0)
    expected = pixels.copy()
    expected[MASK == 9] = outside[(len(outside) - 1) // 2]
    np.testing.assert_array_equal(read_pixels(record), expected[WINDOW])


@pytest.mark.parametrize(
    ("top", "left"), [(0, 0), (0, 70), (50, 0), (50, 70), (0, 30), (30, 0), (50, 30), (30, 70)]
)
def test_beyond_the_image_a_crop_shows_the_background(tmp_path, top, left):
    mask = boxes_on((60, 80), {1: (top, left, top + 10, left + 10)})
    pixels = noise((60, 80))
    (record,) = cells_of(write_scene(tmp_path, "f", mask, pixels), border="keep").values()
    outside = np.sort(pixels[mask == 0])
    padded = np.pad(pixels, 16, constant_values=int(outside[(len(outside) - 1) // 2]))
    rows, columns = np.s_[top + 13 : top + 29], np.s_[left + 13 : left + 29]
    np.testing.assert_array_equal(read_pixels(record), padded[rows, columns])
    np.testing.assert_array_equal(record.load_mask(), np.pad(mask, 16)[rows, columns])


def test_a_cell_of_one_pixel_lies_in_the_middle(tmp_path):
    pixels, mask = noise((60, 80)), boxes_on((60, 80), {1: (30, 40, 31, 41)})
    (record,) = cells_of(write_scene(tmp_path, "f", mask, pixels)).values()
    np.testing.assert_array_equal(read_pixels(record), pixels[22:38, 32:48])
    assert np.argwhere(record.load_mask()).tolist() == [[8, 8]]


def test_a_cell_that_fills_the_image_leaves_no_background_but_the_whole(tmp_path):
    pixels = noise((10, 10))
    scene = write_scene(tmp_path, "f", np.ones((10, 10), np.int32), pixels)
    (record,) = cells_of(scene, border="keep").values()
    padded = np.pad(pixels, 3, constant_values=int(np.sort(pixels.ravel())[49]))
    np.testing.assert_array_equal(read_pixels(record), padded)


class TestALargeCell:
    MASK = boxes_on((60, 80), {1: (10, 20, 40, 44)})

    def test_is_cut_at_the_square_around_its_middle(self, tmp_path):
        pixels = noise((60, 80))
        (record,) = cells_of(write_scene(tmp_path, "f", self.MASK, pixels)).values()
        np.testing.assert_array_equal(read_pixels(record), pixels[17:33, 24:40])

    def test_or_shrunk_whole_with_its_margin(self, tmp_path):
        pixels = noise((60, 80))
        scene = write_scene(tmp_path, "f", self.MASK, pixels)
        (record,) = cells_of(scene, larger="shrink", margin_px=3).values()
        np.testing.assert_array_equal(read_pixels(record), pixels[7:43, 14:50])
        np.testing.assert_array_equal(
            prepare_record(record, PLAIN)[..., 0], resize(pixels[7:43, 14:50], (16, 16))
        )

    def test_or_left_out(self, tmp_path):
        scene = write_scene(tmp_path, "f", self.MASK, noise((60, 80)))
        assert cells_of(scene, larger="drop") == {}


class TestWhatTheNetworkSees:
    def test_is_the_window_of_the_whole_image_after_clahe(self, tmp_path):
        pixels = noise((60, 80))
        record = cells_of(write_scene(tmp_path, "f", MASK, pixels))["f__cell4"]
        prepared = prepare_record(record, replace(PLAIN, clahe=True))
        np.testing.assert_array_equal(prepared[..., 0], equalise(pixels)[WINDOW])

    def test_is_scaled_to_8_bits_by_the_levels_of_the_whole_image(self, tmp_path):
        pixels = noise((60, 80), most=4096)
        pixels[MASK == 4] //= 8
        scene = write_scene(tmp_path, "f", MASK, pixels)
        record = cells_of(scene)["f__cell4"]
        expected = PLAIN.as_8_bits(pixels)[WINDOW]
        assert not np.array_equal(expected, PLAIN.as_8_bits(pixels[WINDOW]))
        np.testing.assert_array_equal(prepare_record(record, PLAIN)[..., 0], expected)
        np.testing.assert_array_equal(read_8_bits(record, PLAIN), expected)
        (statistics,) = read_statistics([record], PLAIN)
        assert statistics.mean == expected.mean()

    def test_has_its_background_after_clahe(self, tmp_path):
        pixels = noise((60, 80))
        scene = write_scene(tmp_path, "f", MASK, pixels)
        record = cells_of(scene, neighbours="blank")["f__cell4"]
        levelled = equalise(pixels)
        outside = np.sort(levelled[MASK == 0])
        levelled[MASK == 9] = outside[(len(outside) - 1) // 2]
        prepared = prepare_record(record, replace(PLAIN, clahe=True))
        np.testing.assert_array_equal(prepared[..., 0], levelled[WINDOW])

    def test_keeps_image_and_mask_aligned_through_the_resize(self, tmp_path):
        bright = np.where(boxes_on((60, 80), {4: (20, 30, 32, 38)}) == 4, 255, 0).astype(np.uint8)
        record = cells_of(write_scene(tmp_path, "f", MASK, bright))["f__cell4"]
        smaller = replace(PLAIN, image_size=(8, 8))  # the edges of the cell stay between pixels
        shown = prepare_record(record, smaller)[..., 0] == 255
        np.testing.assert_array_equal(shown, smaller.prepare_mask(record.load_mask()) == 1)
        assert shown.sum() == 6 * 4

    def test_is_that_of_a_folder_of_crops_where_nothing_sees_the_surroundings(self, tmp_path):
        record = cells_of(write_scene(tmp_path, "f", MASK, noise((60, 80, 3))))["f__cell4"]
        rgb = replace(PLAIN, colour="rgb", image_size=(20, 20))
        np.testing.assert_array_equal(prepare_record(record, rgb), rgb.prepare(read_pixels(record)))


class TestACorruption:
    def test_spoils_the_window_before_the_image_is_levelled(self, tmp_path):
        pixels = noise((60, 80))
        record = cells_of(write_scene(tmp_path, "f", MASK, pixels))["f__cell4"]
        (spoiled,) = corrupt_records([record], Noise(severity=3))
        expected = pixels.copy()
        expected[WINDOW] = read_pixels(spoiled)
        clahe = replace(PLAIN, clahe=True)
        np.testing.assert_array_equal(
            prepare_record(spoiled, clahe)[..., 0], equalise(expected)[WINDOW]
        )
        np.testing.assert_array_equal(
            prepare_record(record, clahe)[..., 0], equalise(pixels)[WINDOW]
        )

    def test_leaves_what_is_blank_blank(self, tmp_path):
        scene = write_scene(tmp_path, "f", MASK, noise((60, 80)))
        record = cells_of(scene, neighbours="blank")["f__cell4"]
        (spoiled,) = corrupt_records([record], Blur(severity=5))
        blank = prepare_record(spoiled, PLAIN)[..., 0][MASK[WINDOW] == 9]
        assert len(blank)
        assert len(set(blank.tolist())) == 1

    def test_that_changes_the_size_makes_the_crop_an_image_by_itself(self, tmp_path):
        record = cells_of(write_scene(tmp_path, "f", MASK, noise((60, 80))))["f__cell4"]
        (spoiled,) = corrupt_records([record], Crop(severity=3))
        np.testing.assert_array_equal(
            prepare_record(spoiled, PLAIN), PLAIN.prepare(read_pixels(spoiled))
        )


def test_the_cause_is_cut_like_the_image_and_hidden_with_the_neighbours(tmp_path):
    scene = write_scene(tmp_path, "f", MASK, noise((60, 80)))
    cause = (noise((60, 80), 1) > 200).astype(np.int32)
    scene = replace(scene, load_cause=lambda: cause)
    kept, blanked = (cells_of(scene, neighbours=how)["f__cell4"] for how in ("keep", "blank"))
    np.testing.assert_array_equal(kept.load_cause(), cause[WINDOW])
    hidden = np.where(MASK[WINDOW] == 9, 0, cause[WINDOW])
    np.testing.assert_array_equal(blanked.load_cause(), hidden)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 8, 30]), st.sampled_from(["keep", "drop"]))
def test_the_kept_cells_together_are_the_cells_of_the_mask(tmp_path_factory, seed, size, border):
    random = np.random.default_rng(seed)
    mask = random.choice([0, 0, 0, 1, 2, 3, 70_000], (14, 17)).astype(np.int32)
    folder = tmp_path_factory.mktemp("union")
    scene = write_scene(folder, "f", mask, noise(mask.shape, seed))
    source = SingleCells(Scenes([scene]), size, border=border, larger="shrink")
    joined = np.zeros((14 + 80, 17 + 80), np.int32)
    for record in source.scan().records:
        window, label = record.load_image.window, record.load_image.label
        part = joined[window.top + 40 : window.bottom + 40, window.left + 40 : window.right + 40]
        assert not part[record.load_mask() != 0].any()
        part[record.load_mask() != 0] = label
    edge = {*mask[0], *mask[-1], *mask[:, 0], *mask[:, -1]} if border == "drop" else set()
    expected = np.where(np.isin(mask, list(edge)), 0, mask)
    np.testing.assert_array_equal(joined, np.pad(expected, 40))


def test_another_numbering_changes_the_ids_alone(tmp_path):
    pixels = noise((60, 80))
    renamed = np.where(MASK == 4, 300_000, np.where(MASK == 9, 2, 0))
    first = cells_of(write_scene(tmp_path / "1", "f", MASK, pixels), neighbours="blank")
    second = cells_of(write_scene(tmp_path / "2", "f", renamed, pixels), neighbours="blank")
    for old, new in ((4, 300_000), (9, 2)):
        one, other = first[f"f__cell{old}"], second[f"f__cell{new}"]
        np.testing.assert_array_equal(read_pixels(one), read_pixels(other))
        np.testing.assert_array_equal(one.load_mask(), other.load_mask())


class TestAFault:
    def test_a_mask_of_another_image_is_named(self, tmp_path):
        scene = write_scene(tmp_path, "f", MASK.T, noise((60, 80)))  # of as many pixels
        record = next(iter(cells_of(scene).values()))
        with pytest.raises(ImageFault, match="60×80 pixels, but its mask has 80×60"):
            read_pixels(record)

    def test_a_mask_that_changed_since_the_scan_is_named(self, tmp_path):
        record = cells_of(write_scene(tmp_path, "f", MASK, noise((60, 80))))["f__cell4"]
        write_scene(tmp_path, "f", MASK[::-1], noise((60, 80)))
        with pytest.raises(ImageFault, match="mask has changed"):
            read_pixels(record)

    def test_a_broken_image_is_that_of_each_of_its_cells(self, tmp_path):
        scene = write_scene(tmp_path, "f", MASK, noise((60, 80)))
        records = cells_of(scene)
        scene.path.write_bytes(scene.path.read_bytes()[:-40])
        for record in records.values():
            with pytest.raises(ImageFault, match=r"f\.png: truncated or corrupt"):
                read_pixels(record)
