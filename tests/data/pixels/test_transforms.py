import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from cellxai.data.pixels.transforms import (
    Transforms,
    augmentation_seed,
    equalise,
    resize,
    to_tensor,
)

RNG = np.random.default_rng(0)
GREY = RNG.integers(60, 190, (52, 70), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (52, 70, 3), dtype=np.uint8)
PLAIN = Transforms(image_size=(24, 32), clahe=False)
STILL = {"horizontal_flip": 0.0, "vertical_flip": 0.0, "brightness": 0.0}


def test_grey_clahe_equals_opencvs_to_the_grey_level():
    expected = cv2.createCLAHE(4.0, (8, 8)).apply(GREY)
    prepared = Transforms(image_size=GREY.shape).prepare(GREY)
    np.testing.assert_array_equal(prepared[..., 0], expected)


def test_colour_clahe_equals_opencvs_on_the_lightness():
    lab = cv2.cvtColor(COLOUR, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(4.0, (8, 8)).apply(np.ascontiguousarray(lab[..., 0]))
    prepared = Transforms(image_size=GREY.shape, colour="rgb").prepare(COLOUR)
    np.testing.assert_array_equal(prepared, cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))


def test_clahe_comes_before_the_resize():
    equalised = cv2.createCLAHE(4.0, (8, 8)).apply(GREY)
    prepared = Transforms(image_size=(24, 32)).prepare(GREY)
    np.testing.assert_array_equal(prepared[..., 0], resize(equalised, (24, 32)))


@pytest.mark.parametrize("image", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize(("colour", "planes"), [("grey", 1), ("rgb", 3)])
def test_prepared_images_have_the_planes_that_were_asked_for(image, colour, planes):
    prepared = Transforms(image_size=(24, 32), colour=colour).prepare(image)
    assert prepared.shape == (24, 32, planes)
    assert prepared.dtype == np.uint8


def test_shrinking_averages_areas():
    expected = GREY[:52, :70].reshape(26, 2, 35, 2).mean((1, 3))
    assert np.abs(resize(GREY, (26, 35)) - expected).max() <= 0.5


def test_images_smaller_than_the_size_are_enlarged():
    assert PLAIN.prepare(GREY[:5, :7]).shape == (24, 32, 1)


def test_masks_keep_their_labels_and_lie_on_their_cells():
    mask = np.zeros((52, 70), dtype=np.int32)
    mask[10:30, 20:50] = 70_000
    mask[40:50, 5:15] = 3
    prepared = PLAIN.prepare_mask(mask)
    assert np.unique(prepared).tolist() == [0, 3, 70_000]
    # The same geometry as the image: where a cell covers a new pixel by more than half, it is
    # labelled as the cell, up to ties along the border.
    covered = PLAIN.prepare(((mask > 0) * 255).astype(np.uint8))[..., 0] / 255
    assert (prepared[covered > 0.75] > 0).all()
    assert (prepared[covered < 0.25] == 0).all()


def test_a_mask_of_the_same_size_is_untouched():
    mask = np.arange(24 * 32, dtype=np.int32).reshape(24, 32)
    np.testing.assert_array_equal(PLAIN.prepare_mask(mask), mask)


def test_augmentation_is_a_function_of_the_seed():
    image = PLAIN.prepare(GREY)
    transforms = Transforms(image_size=(24, 32), crop=16)
    first = [transforms.augment(image, seed) for seed in range(6)]
    again = [transforms.augment(image, seed) for seed in reversed(range(6))][::-1]
    np.testing.assert_array_equal(first, again)
    assert len({picture.tobytes() for picture in first}) == 6


def test_neither_the_global_random_state_nor_the_image_itself_is_touched():
    image = PLAIN.prepare(GREY)
    before = image.copy()
    np.random.seed(0)  # noqa: NPY002 - the state that must not move
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    PLAIN.augment(image, 1)
    assert np.random.rand() == expected  # noqa: NPY002
    np.testing.assert_array_equal(image, before)


def test_the_two_flips_are_drawn_apart():
    image = PLAIN.prepare(GREY)
    flips = Transforms(image_size=(24, 32), brightness=0.0)
    variants = {
        "none": image,
        "left-right": image[:, ::-1],
        "upside-down": image[::-1],
        "both": image[::-1, ::-1],
    }
    found = [
        name
        for seed in range(400)
        for name, variant in variants.items()
        if np.array_equal(flips.augment(image, seed), variant)
    ]
    assert len(found) == 400
    # 100 each are expected, with a standard deviation of 9.
    assert all(55 < found.count(name) < 145 for name in variants)


def test_flips_happen_always_at_probability_one_and_never_at_zero():
    image = PLAIN.prepare(GREY)
    still = Transforms(image_size=(24, 32), **STILL)
    mirror = Transforms(image_size=(24, 32), **{**STILL, "horizontal_flip": 1.0})
    for seed in range(5):
        np.testing.assert_array_equal(still.augment(image, seed), image)
        np.testing.assert_array_equal(mirror.augment(image, seed), image[:, ::-1])


def test_brightness_shifts_all_pixels_alike_within_its_limits():
    image = np.full((24, 32, 1), 128, dtype=np.uint8)
    dim = Transforms(image_size=(24, 32), brightness=0.2)
    levels = [np.unique(dim.augment(image, seed)) for seed in range(50)]
    assert all(len(level) == 1 for level in levels)
    shifts = np.array([level[0] for level in levels], dtype=float) - 128
    assert np.abs(shifts).max() <= 51
    assert shifts.min() < -25
    assert shifts.max() > 25


def test_crops_are_windows_of_the_prepared_image():
    image = PLAIN.prepare(GREY)
    crop = Transforms(image_size=(24, 32), crop=16, **STILL).augment(image, 4)
    windows = np.lib.stride_tricks.sliding_window_view(image[..., 0], (16, 16))
    assert (windows == crop[..., 0]).all((-1, -2)).any()


def test_tensors_are_in_0_to_1_with_grey_repeated():
    image = PLAIN.prepare(GREY)
    tensor = to_tensor(image)
    assert tensor.shape == (3, 24, 32)
    assert torch.equal(tensor[0], tensor[2])
    assert torch.equal((tensor[0] * 255).round().byte(), torch.from_numpy(image[..., 0]))
    assert to_tensor(np.full((2, 2, 3), 255, dtype=np.uint8)).max() == 1


def test_seeds_differ_between_images_epochs_and_runs():
    triples = [(seed, epoch, index) for seed in (0, 1) for epoch in range(5) for index in range(20)]
    assert len({augmentation_seed(*triple) for triple in triples}) == len(triples)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"crop": 300}, "crop=300 does not fit into image_size"),
        ({"crop": 0}, "crop=0"),
        ({"image_size": (0, 5)}, "expected a positive height and width"),
        ({"horizontal_flip": 1.5}, "horizontal_flip=1.5: expected a value in 0…1"),
        ({"brightness": -0.1}, "brightness=-0.1"),
        ({"percentiles": (50.0, 50.0)}, r"percentiles=\(50.0, 50.0\): expected two rising"),
        ({"percentiles": (-1.0, 99.0)}, "expected two rising ones in 0…100"),
        ({"full_scale": 0}, "full_scale=0: expected a level in 1…65535"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Transforms(**settings)


@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_16_bit_images_are_prepared_as_their_8_bit_selves(colour):
    exactly = Transforms(
        image_size=(24, 32), colour=colour, sixteen_bit="full", full_scale=255 * 257
    )
    for image in (GREY, COLOUR):
        deep = image.astype(np.uint16) * 257
        np.testing.assert_array_equal(exactly.prepare(deep), exactly.prepare(image))


def test_a_misspelt_rule_for_16_bits_is_refused():
    with pytest.raises((ValueError, TypeError), match=r"percentile.*full.*refuse"):
        Transforms(sixteen_bit="max")


def test_a_misspelt_colour_is_refused():
    # A TypeError where annotations are checked, as an import hook can do.
    with pytest.raises((ValueError, TypeError), match=r"'grey'.*'rgb'"):
        Transforms(colour="gray")


def test_importing_keeps_albumentations_from_asking_for_updates():
    environment = {key: text for key, text in os.environ.items() if "ALBUMENTATIONS" not in key}
    code = (
        "import socket\n"
        "def refuse(*arguments): raise AssertionError('the network was reached for')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import cellxai.data.pixels.transforms, os\n"
        "assert os.environ['NO_ALBUMENTATIONS_UPDATE'] == '1'\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment)
    assert done.returncode == 0


def test_clahe_at_random_equalises_so_many_of_the_training_images():
    image = np.random.default_rng(0).integers(90, 140, (32, 32, 1), dtype=np.uint8)
    still = Transforms((32, 32), random_clahe=0.3, **STILL)
    pictures = [still.augment(image, seed) for seed in range(600)]
    changed = [not np.array_equal(picture, image) for picture in pictures]
    assert np.mean(changed) == pytest.approx(0.3, abs=0.06)
    assert np.array_equal(pictures[changed.index(True)], equalise(image[..., 0])[..., None])
