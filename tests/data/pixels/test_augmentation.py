import albumentations
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


class Hue(Augmentation):
    def augment(self, image, random):
        return albumentations.HueSaturationValue(p=1.0)(image=image)["image"]


class Broken(Augmentation):
    def augment(self, image, random):
        raise KeyError


def test_a_step_for_photographs_is_named_where_planes_are_many():
    planes = Transforms((24, 32), planes=list("abcde"), augmentations=[Hue()])
    with pytest.raises(ValueError, match=r"^Hue does not take 5 planes: .*leave it") as caught:
        planes.augment(np.repeat(IMAGE, 5, axis=-1), 0)
    assert "\n" not in str(caught.value)
    rgb = Transforms((24, 32), planes="rgb", augmentations=[Hue()])
    assert rgb.augment(np.repeat(IMAGE, 3, axis=-1), 0).shape == (24, 32, 3)


def test_an_error_without_a_word_is_called_by_its_kind_and_one_of_grey_stays_its_own():
    planes = Transforms((24, 32), planes=["a", "b"], augmentations=[Broken()])
    with pytest.raises(ValueError, match=r"^Broken does not take 2 planes: KeyError; "):
        planes.augment(np.repeat(IMAGE, 2, axis=-1), 0)
    with pytest.raises(KeyError):
        augmented(Broken())
