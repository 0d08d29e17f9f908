import numpy as np
import pytest

from cellxai.data.corruption import Corruption, SeededCorruption, check_planes, corrupt_image

LEVELS = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


class AddNoise(Corruption):
    """Adds what it draws, and remembers the brightest pixel that it got."""

    def corrupt(self, image, random):
        self.white = float(image.max())
        return image + random.normal(0, 0.05, image.shape).astype(np.float32)


class Brighten(Corruption):
    """Makes everything brighter than white."""

    def corrupt(self, image, random):
        return image + np.float32(2)


def once(corruption: Corruption, image: np.ndarray, image_id: str = "a", seed: int = 0):
    return corrupt_image(image, image_id, [SeededCorruption(corruption, seed)])


def test_what_is_random_follows_from_seed_id_and_position():
    first = once(AddNoise(), LEVELS)
    np.testing.assert_array_equal(first, once(AddNoise(), LEVELS))
    assert (first != once(AddNoise(), LEVELS, "b")).any()
    assert (first != once(AddNoise(), LEVELS, seed=1)).any()
    both = corrupt_image(LEVELS, "a", [SeededCorruption(AddNoise())] * 2)
    assert (both.astype(int) - first != first.astype(int) - LEVELS).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_keep_their_type_and_stay_below_white(dtype):
    image = LEVELS.astype(dtype) * (16 if dtype == np.uint16 else 1)
    bright = once(Brighten(), image)
    assert bright.dtype == dtype
    assert (bright == (255 if dtype == np.uint8 else image.max())).all()
    np.testing.assert_array_equal(image, LEVELS.astype(dtype) * (16 if dtype == np.uint16 else 1))


def test_white_is_255_of_8_bits_and_the_brightest_pixel_of_16():
    noise = AddNoise()
    once(noise, LEVELS)
    assert noise.white == pytest.approx(220 / 255)
    once(noise, LEVELS.astype(np.uint16))
    assert noise.white == 1


@pytest.mark.parametrize("shape", [(3, 4, 3), (0, 4), (12,)])
def test_other_planes_than_those_of_the_image_are_refused(shape):
    with pytest.raises(ValueError, match=r"AddNoise returned shape .* expected as many planes"):
        check_planes(AddNoise(), np.zeros(shape, np.float32), (3, 4))
    check_planes(AddNoise(), np.zeros((5, 6), np.float32), (3, 4))
