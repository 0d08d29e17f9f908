from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from cellxai.data.corruption import Corruption, SeededCorruption, corrupt_image
from cellxai.data.image_formats import read_image, read_pixels
from cellxai.data.loading.prepared import prepare_all
from cellxai.data.pixels.corruptions import (
    SEVERITIES,
    Blur,
    Corrupted,
    Crop,
    Darken,
    Debris,
    Flip,
    Illumination,
    Noise,
    Rotate,
    StainShift,
    Transpose,
    corrupt_records,
    grade_all,
)
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.folder import ImageFolder
from cellxai.data.records import Fault, Source
from cellxai.files.config import as_config
from gmm.commandline.parser import parser_of

RANDOM = np.random.default_rng(0)
SMOOTH = cv2.GaussianBlur(RANDOM.random((200, 260), np.float32), (0, 0), 2)
GREY = np.uint8(255 * (SMOOTH - SMOOTH.min()) / np.ptp(SMOOTH))
COLOUR = np.stack([GREY, GREY // 2 + 60, 200 - GREY // 2], -1)
GRADED = (Rotate, Darken, Blur, Noise, Illumination, Debris, Crop)
IMAGES = {"grey": GREY, "colour": COLOUR, "12 bits": GREY.astype(np.uint16) * 16}
EVERY = [*(kind() for kind in GRADED), Transpose(), Flip()]


@pytest.fixture
def folder(tmp_path, write_image) -> ImageFolder:
    """Two classes of three images with masks."""
    for label in "ab":
        for number in range(3):
            path = write_image(tmp_path / "images" / label / f"{number}.png", (30, 40), number)
            write_image(tmp_path / "masks" / label / path.name, (30, 40), number)
    return ImageFolder(tmp_path / "images", tmp_path / "masks")


def once(corruption: Corruption, image: np.ndarray = GREY, image_id: str = "a", seed: int = 0):
    return corrupt_image(image, image_id, [SeededCorruption(corruption, seed)])


def departure(image: np.ndarray, changed: np.ndarray) -> float:
    """Mean absolute difference at the size of the original."""
    height, width = image.shape[:2]
    return np.abs(cv2.resize(changed, (width, height)).astype(float) - image).mean()


@pytest.mark.parametrize("corruption", EVERY, ids=lambda one: type(one).__name__)
class TestEveryCorruption:
    @pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
    def test_changes_pixels_and_neither_their_type_nor_the_planes(self, corruption, image):
        before = image.copy()
        changed = once(corruption, image)
        assert (changed.dtype, changed.shape[2:]) == (image.dtype, image.shape[2:])
        assert changed.shape != image.shape or (changed != image).any()
        assert changed.max() <= image.max() or image.dtype == np.uint8
        np.testing.assert_array_equal(image, before)

    def test_is_a_function_of_seed_and_id(self, corruption):
        np.testing.assert_array_equal(once(corruption), once(corruption))
        others = {once(corruption, image_id=f"{i}", seed=i).tobytes() for i in range(8)}
        drawn = not isinstance(corruption, Darken | Blur | Transpose | Flip)
        assert (len(others) > 1) == drawn

    def test_treats_the_planes_of_a_colour_image_like_grey_ones(self, corruption):
        if isinstance(corruption, Noise):
            pytest.skip("the noise of a colour camera differs from plane to plane")
        planes = once(corruption, COLOUR)
        for number in range(3):
            alone = once(corruption, COLOUR[..., number])
            np.testing.assert_allclose(planes[..., number], alone, atol=1)

    def test_is_recorded_by_a_config_and_built_from_it(self, corruption):
        told = as_config(corruption)
        parser = parser_of("any", takes_a_corruption)
        parsed = parser.parse_object({"corruption": told})
        assert as_config(parser.instantiate(parsed).corruption) == told


def takes_a_corruption(corruption: Corruption) -> None:
    """Takes one.

    Args:
        corruption: Any.
    """


@pytest.mark.parametrize("kind", GRADED)
def test_each_severity_departs_further_from_the_image(kind):
    ids = [str(number) for number in range(12)]
    # Of fine texture, a small move changes as much as a large one.
    image = GREY if kind.keeps_places else cv2.resize(GREY[:6, :8], (260, 200))
    moved = [
        np.mean([departure(image, once(kind(severity), image, one)) for one in ids])
        for severity in SEVERITIES
    ]
    assert moved == sorted(moved)
    assert moved[0] > 0


@pytest.mark.parametrize("severity", [0, 6])
def test_an_unknown_severity_is_refused(severity):
    with pytest.raises(ValueError, match=f"severity={severity}: expected 1…5 of Blur"):
        Blur(severity)


def test_a_graded_corruption_comes_five_times_and_any_other_once():
    turned = Transpose()
    found = grade_all({"dim": Darken(), "turned": turned})
    assert list(found) == ["dim 1", "dim 2", "dim 3", "dim 4", "dim 5", "turned"]
    assert [found[f"dim {level}"] for level in range(1, 6)] == [Darken(n) for n in range(1, 6)]
    assert found["turned"] is turned


def test_transpose_and_flips_are_those_of_numpy():
    np.testing.assert_array_equal(once(Transpose()), GREY.T)
    np.testing.assert_array_equal(once(Flip()), GREY[::-1])
    np.testing.assert_array_equal(once(Flip("horizontal")), GREY[:, ::-1])


def test_half_a_turn_is_both_flips():
    np.testing.assert_allclose(once(Rotate(5)), GREY[::-1, ::-1], atol=1)


def test_darken_keeps_its_share_of_every_grey_level():
    np.testing.assert_allclose(once(Darken(4)), 0.3 * GREY, atol=0.51)


def test_noise_has_the_stated_deviation():
    flat = np.full((200, 200), 128, np.uint8)
    assert once(Noise(3), flat).std() == pytest.approx(0.08 * 255, rel=0.02)


def test_light_from_one_side_keeps_the_middle_and_the_mean():
    flat = np.full((101, 101), 100, np.uint8)
    lit = once(Illumination(4), flat).astype(float)
    assert lit[50, 50] == 100
    assert lit.mean() == pytest.approx(100, abs=0.5)
    assert lit.max() == pytest.approx(160, abs=1)
    np.testing.assert_allclose(lit + lit[::-1, ::-1], 200, atol=1)


@pytest.mark.parametrize(("severity", "share"), [(1, 0.01), (5, 0.12)])
def test_debris_covers_about_its_share(severity, share):
    flat = np.full((400, 400), 200, np.uint8)
    covered = [(once(Debris(severity), flat, str(i)) < 150).mean() for i in range(30)]
    assert 0.6 * share < np.mean(covered) < 1.3 * share  # specks overlap, and leave the frame


def test_a_crop_is_a_window_of_the_image():
    window = once(Crop(3))
    assert window.shape == (120, 156)
    places = np.lib.stride_tricks.sliding_window_view(GREY, window.shape)
    likely = np.argwhere(places[..., 0, 0] == window[0, 0])
    assert any(np.array_equal(places[y, x], window) for y, x in likely)


def test_a_stain_shift_trades_one_stain_for_the_other():
    violet = np.full((8, 8, 3), (150, 90, 170), np.uint8)
    shifted = {tuple(once(StainShift(4), violet, str(i))[0, 0].tolist()) for i in range(12)}
    assert len(shifted) == 2
    reds = sorted(colour[0] for colour in shifted)
    assert reds[0] < 150 < reds[1]  # haematoxylin is what takes red away


def test_the_least_stain_shift_changes_no_colour_by_much():
    yellow = np.full((8, 8, 3), (250, 240, 150), np.uint8)  # neither stain: both come out negative
    assert np.abs(once(StainShift(1), yellow).astype(int) - yellow).max() < 20


def test_a_stain_shift_of_a_grey_image_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"StainShift needs RGB .* shape .* is grey; use"):
        once(StainShift())


class Coloured(Corruption):
    def corrupt(self, image, random):
        return np.repeat(image[..., None], 3, -1)


class Unbounded(Corruption):
    def corrupt(self, image, random):
        return np.full_like(image, np.nan)


def test_what_is_no_image_is_refused_and_its_maker_named():
    with pytest.raises(ValueError, match=r"Coloured returned shape .* as many planes"):
        once(Coloured())
    with pytest.raises(ValueError, match="Unbounded returned NaN"):
        once(Unbounded())


def test_a_corrupted_source_has_the_same_images_spoiled_as_they_are_read(folder):
    plain, spoiled = folder.scan(), Corrupted(folder, Darken(4)).scan()
    assert [r.id for r in spoiled.records] == [r.id for r in plain.records]
    for before, after in zip(plain.records, spoiled.records, strict=True):
        np.testing.assert_array_equal(read_pixels(before), read_image(before.path))
        np.testing.assert_allclose(read_pixels(after), 0.3 * read_pixels(before), atol=0.51)


def test_what_a_source_notes_is_noted_of_its_corrupted_images(folder):
    notes = (Fault("group", "blank for 1 of 6 images"),)

    class Noting(Source):
        def scan(self):
            return replace(folder.scan(), notes=notes)

    assert Corrupted(Noting(), Blur()).scan().notes == notes


def test_masks_are_kept_only_where_pixels_stay_in_place(folder):
    assert all(record.load_mask for record in Corrupted(folder, Blur()).scan().records)
    assert not any(record.load_mask for record in Corrupted(folder, Flip()).scan().records)


def test_corruptions_come_one_after_another(folder):
    twice = Corrupted(Corrupted(folder, Transpose()), Flip("horizontal")).scan().records[0]
    np.testing.assert_array_equal(read_pixels(twice), np.rot90(read_image(twice.path), -1))


def test_the_same_noise_twice_is_not_the_same_noise(folder):
    first = corrupt_records(folder.scan().records, Noise(1))[0]
    twice = replace(first, corruptions=first.corruptions * 2)
    once_more = read_pixels(twice).astype(int) - read_pixels(first)
    change = read_pixels(first).astype(int) - read_image(first.path)
    assert abs(np.corrcoef(once_more.ravel(), change.ravel())[0, 1]) < 0.2


def test_they_act_before_the_pipeline_and_the_cache_tells_them_apart(folder, tmp_path):
    transforms = Transforms(image_size=(16, 16))
    records = folder.scan().records
    found = {}
    for name, corruption in {"dark": Darken(5), "noise 1": Noise(1), "noise 5": Noise(5)}.items():
        spoiled = corrupt_records(records, corruption)
        found[name] = prepare_all(spoiled, transforms, tmp_path / "cache").images
        again = prepare_all(spoiled, transforms, tmp_path / "cache").images
        assert torch.equal(found[name], again)
        expected = transforms.prepare(read_pixels(spoiled[0]))
        np.testing.assert_array_equal(found[name][0, 0].numpy(), expected[..., 0])
    plain = prepare_all(records, transforms, tmp_path / "cache").images
    assert not any(torch.equal(plain, images) for images in found.values())
    assert not torch.equal(found["noise 1"], found["noise 5"])


def test_a_broken_file_stays_a_fault_of_its_own(folder):
    records = corrupt_records(folder.scan().records, Noise())
    records[1].path.write_bytes(b"broken")
    found = prepare_all(records, Transforms(image_size=(16, 16)))
    assert [fault.where for fault in found.faults] == [f"image {records[1].id}"]
    assert len(found.records) == 5


def test_a_colour_file_is_stained_otherwise_through_the_whole_pipeline(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        Image.fromarray(COLOUR).save(tmp_path / label / "0.png")
    transforms = Transforms(image_size=(16, 16), colour="rgb", clahe=False)
    plain = prepare_all(ImageFolder(tmp_path).scan().records, transforms).images
    shifted = Corrupted(ImageFolder(tmp_path), StainShift(5)).scan().records
    assert (prepare_all(shifted, transforms).images.float() - plain.float()).abs().mean() > 5
