from pathlib import Path

import numpy as np
import pytest
import torch

from cellxai.data.loading.cache import cache_key
from cellxai.data.loading.measuring import plane_moments, with_levels
from cellxai.data.loading.prepared import prepare_all
from cellxai.data.pixels.sixteen_bit import levels_of_all
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Record

RNG = np.random.default_rng(1)
IMAGES = [RNG.integers(0, 3000, (9, 11, 2), dtype=np.uint16) * [1, 20] for _ in range(4)]
IMAGES = [image.astype(np.uint16) for image in IMAGES]
NAMED = Transforms((9, 11), planes=["a", "b"], clahe=False, sixteen_bit="training")


def records(images):
    return [
        Record(f"i{i}", Path(f"{i}.tif"), "c", load_image=lambda image=image: image)
        for i, image in enumerate(images)
    ]


@pytest.mark.parametrize("percentiles", [(0.1, 99.9), (0.0, 100.0), (25.0, 50.0)])
def test_levels_are_numpys_percentiles_of_all_pixels_together_plane_by_plane(percentiles):
    pixels = np.stack(IMAGES).reshape(-1, 2)
    expected = np.percentile(pixels, percentiles, axis=0, method="inverted_cdf").T.astype(int)
    assert levels_of_all(IMAGES, 2, percentiles) == [tuple(pair) for pair in expected.tolist()]


def test_images_keep_their_brightness_beside_each_other():
    half = [IMAGES[0], IMAGES[0] // 2]
    transforms = with_levels(NAMED, records(half))
    bright, dark = (transforms.prepare(image).mean((0, 1)) for image in half)
    np.testing.assert_allclose(dark / bright, 0.5, atol=0.02)
    by_itself = Transforms((9, 11), planes=["a", "b"], clahe=False)
    bright, dark = (by_itself.prepare(image).mean((0, 1)) for image in half)
    np.testing.assert_allclose(dark / bright, 1.0, atol=0.02)


def test_levels_are_measured_once_and_decide_the_cache():
    measured = with_levels(NAMED, records(IMAGES))
    assert with_levels(measured, records(IMAGES[:1])) is measured
    other = with_levels(NAMED, records(IMAGES[:1]))
    assert cache_key([], other) != cache_key([], measured)
    assert with_levels(Transforms(), records(IMAGES)) == Transforms()


def test_a_16_bit_image_without_levels_is_refused_with_the_way_out():
    with pytest.raises(
        ValueError, match=r"sixteen_bit=training knows no levels.*transforms\.levels"
    ):
        NAMED.prepare(IMAGES[0])


def test_a_16_bit_image_after_a_training_on_8_bits_costs_itself_alone():
    shallow = [(image // 256).astype(np.uint8) for image in IMAGES]
    assert with_levels(NAMED, records(shallow)).levels is None
    found = prepare_all(records([*shallow[:3], IMAGES[3]]), NAMED)
    assert [record.id for record in found.records] == ["i0", "i1", "i2"]
    (fault,) = found.faults
    assert str(fault).startswith("image i3: 16-bit pixels, and sixteen_bit=training knows no level")


def test_fractions_say_nothing_of_levels_and_each_is_left_out_with_a_line():
    fractions = [image.astype(np.float32) / 3000 for image in IMAGES]
    assert with_levels(NAMED, records(fractions)).levels is None
    mixed = records([*fractions[:2], *IMAGES[2:]])
    measured = with_levels(NAMED, mixed)
    assert measured.levels == levels_of_all(IMAGES[2:], 2, measured.percentiles)
    found = prepare_all(mixed, measured)
    assert [record.id for record in found.records] == ["i2", "i3"]
    assert [str(fault) for fault in found.faults] == [
        f"image i{number}: floating-point pixels, and sixteen_bit=training, whose levels are whole "
        "numbers; pass percentile or full"
        for number in range(2)
    ]


def test_levels_of_other_planes_are_refused():
    with pytest.raises(ValueError, match=r"levels=\[\[3, 2\]\]: expected 2 pairs"):
        Transforms(planes=["a", "b"], levels=[(3, 2)])


def test_moments_are_those_of_all_pixels_of_a_plane_and_never_divide_by_nothing():
    images = torch.from_numpy(RNG.integers(0, 256, (5, 3, 6, 7), dtype=np.uint8))
    images[:, 2] = 7
    mean, std = plane_moments(images)
    levels = images.double().transpose(0, 1).flatten(1) / 255
    np.testing.assert_allclose(mean, levels.mean(1), atol=1e-6)
    np.testing.assert_allclose(std[:2], levels[:2].std(1, correction=0), atol=1e-6)
    assert std[2] == pytest.approx(1 / 255, abs=1e-6)
