import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from cellxai.data.image_formats import ImageFault, read_image
from cellxai.data.pixels.sixteen_bit import to_8_bits
from cellxai.data.pixels.transforms import Transforms

PERCENTILES = (0.1, 99.9)
RNG = np.random.default_rng(0)
images = arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=9))


def scene(low: int, high: int, shape=(60, 80)) -> np.ndarray:
    """Cells on a background: levels of a camera that uses but part of its range."""
    return RNG.integers(low, high, shape).astype(np.uint16)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(
    "pixels",
    [scene(0, 65536), scene(30_000, 65_000), scene(100, 4096), scene(3, 900), scene(200, 240)],
    ids=["whole range", "bright", "12 bits", "10 bits", "dim and flat"],
)
def test_no_image_comes_out_black_or_white_under_the_default_rule(tmp_path, pixels, suffix):
    path = tmp_path / f"deep.{suffix}"
    Image.fromarray(pixels).save(path)
    prepared = Transforms(image_size=pixels.shape, clahe=False).prepare(read_image(path))
    assert 100 < prepared.mean() < 155
    assert prepared.std() > 50
    # What other readers make of the same file, and why the rule is needed.
    pillow = np.array(Image.open(path).convert("L"))
    opencv = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if pixels.max() < 4096:
        assert opencv.max() <= 16
    if pixels.min() > 255:
        assert pillow.min() == 255


@given(images)
def test_percentiles_are_the_ends_and_levels_between_keep_their_order(image):
    low, high = (int(np.percentile(image, p, method="inverted_cdf")) for p in PERCENTILES)
    result = to_8_bits(image, "percentile", PERCENTILES, 65535)
    order = np.argsort(image, axis=None, kind="stable")
    assert (np.diff(result.ravel()[order].astype(int)) >= 0).all()
    if low < high:
        assert (result[image <= low] == 0).all()
        assert (result[image >= high] == 255).all()


@given(images)
def test_the_full_scale_is_one_factor_for_all_images(image):
    result = to_8_bits(image, "full", PERCENTILES, 65535)
    assert np.abs(result - image / 257).max() <= 0.5


def test_a_constant_image_is_mid_grey_and_nothing_is_divided_by_zero():
    for level in (0, 7, 65535):
        even = np.full((4, 5), level, dtype=np.uint16)
        assert np.unique(to_8_bits(even, "percentile", PERCENTILES, 65535)).tolist() == [128]


def test_specks_on_an_even_background_are_not_lost():
    image = np.full((100, 100), 300, dtype=np.uint16)
    image[5, 5:9] = 900  # 4 of 10,000 pixels: both percentiles are the background
    result = to_8_bits(image, "percentile", PERCENTILES, 65535)
    assert np.unique(result).tolist() == [0, 255]
    assert (result == 255).sum() == 4


def test_hot_pixels_do_not_darken_an_image():
    image = scene(100, 4096)
    image[0, :3] = 65535
    assert to_8_bits(image, "percentile", PERCENTILES, 65535).mean() > 100
    assert to_8_bits(image, "full", PERCENTILES, 65535).mean() < 10


def test_colours_are_scaled_alike_so_that_hues_stay():
    image = np.stack([scene(0, 4000), scene(0, 2000), scene(0, 1000)], -1)
    result = to_8_bits(image, "percentile", (0.0, 100.0), 65535).reshape(-1, 3).mean(0)
    np.testing.assert_allclose(result / result[0], [1, 0.5, 0.25], atol=0.03)


def test_a_camera_of_12_bits_can_be_told_and_what_exceeds_it_is_refused():
    image = np.array([[0, 2048, 4095]], dtype=np.uint16)
    assert to_8_bits(image, "full", PERCENTILES, 4095).tolist() == [[0, 128, 255]]
    with pytest.raises(ImageFault, match="pixel of 4096 is above full_scale=4095"):
        to_8_bits(image + 1, "full", PERCENTILES, 4095)


def test_16_bits_can_be_refused_with_the_way_out():
    with pytest.raises(ImageFault, match="sixteen_bit=refuse; pass percentile or full"):
        to_8_bits(scene(0, 9), "refuse", PERCENTILES, 65535)
