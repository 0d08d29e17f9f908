import pytest
import torch
from scipy.ndimage import gaussian_filter

from cellxai.explain.baselines import BlurBaseline, ConstantBaseline, SuperpixelMeanBaseline
from cellxai.explain.superpixels import superpixel_means


def test_a_constant_baseline_is_that_value_everywhere(images, context):
    assert (ConstantBaseline(0.25).fill(images, context.superpixels) == 0.25).all()


def test_blur_equals_scipys_gaussian_filter(images, context):
    blurred = BlurBaseline(sigma_px=2.0).fill(images.double(), context.superpixels)
    reference = gaussian_filter(
        images.double().numpy(), 2.0, mode="nearest", truncate=3.0, axes=(2, 3)
    )
    torch.testing.assert_close(blurred, torch.from_numpy(reference), rtol=0, atol=1e-12)


def test_a_wide_blur_may_exceed_the_image(images, context):
    filled = BlurBaseline(sigma_px=40.0).fill(images, context.superpixels)
    assert filled.shape == images.shape
    assert filled.std((-1, -2)).max() < 0.1 * images.std((-1, -2)).min()


def test_superpixel_means_are_constant_on_each_superpixel_and_keep_its_mean(images, quarters):
    labels = quarters.expand(3, -1, -1)
    filled = SuperpixelMeanBaseline().fill(images, labels)
    assert all(len(plane[quarters == 2].unique()) == 1 for plane in filled.flatten(0, 1))
    torch.testing.assert_close(
        superpixel_means(filled[0], quarters), superpixel_means(images[0], quarters)
    )


def test_a_blur_without_width_is_refused():
    with pytest.raises(ValueError, match=r"sigma_px=0\.0"):
        BlurBaseline(sigma_px=0.0)
