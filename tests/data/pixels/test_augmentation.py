import numpy as np
import pytest

from cellxai.data.pixels.augmentation import Augmentation
from cellxai.data.pixels.transforms import Transforms

IMAGE = np.random.default_rng(0).integers(60, 190, (24, 32, 1), dtype=np.uint8)
STILL = {"horizontal_flip": 0.0, "vertical_flip": 0.0, "brightness": 0.0}


class Noise(Augmentation):
    def augment(self, image, random):
        return (image + random.integers(-9, 10, image.shape)).astype(np.uint8)


class Negative(Augmentation):
    def augment(self, image, random):
        return 255 - image


class Half(Augmentation):
    def augment(self, image, random):
        return image[::2]


def augmented(*steps: Augmentation, seed: int = 0, **options) -> np.ndarray:
    return Transforms(image_size=(24, 32), augmentations=list(steps), **options).augment(
        IMAGE, seed
    )


def test_steps_come_last_and_in_their_order():
    plain, brightened = augmented(), augmented(Negative())
    np.testing.assert_array_equal(brightened, 255 - plain)
    noisy = augmented(Noise(), Negative(), **STILL)
    np.testing.assert_array_equal(255 - noisy, augmented(Noise(), **STILL))


def test_what_they_draw_is_a_function_of_the_seed():
    first, again, other = (augmented(Noise(), seed=seed, **STILL) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_less(np.abs(first.astype(int) - IMAGE), 10)


def test_they_change_nothing_about_the_steps_before():
    brightness = {"horizontal_flip": 0.5, "vertical_flip": 0.5, "brightness": 0.1}
    for seed in range(5):
        np.testing.assert_array_equal(
            255 - augmented(Negative(), seed=seed, **brightness), augmented(seed=seed, **brightness)
        )


def test_a_step_that_returns_something_else_is_named():
    with pytest.raises(ValueError, match=r"Half returned uint8 of shape \(12, 32, 1\), expected"):
        augmented(Half())
