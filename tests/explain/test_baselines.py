import pytest
import torch
from scipy.ndimage import gaussian_filter

from cellxai.explain.baselines import (
    BlurBaseline,
    ConstantBaseline,
    InpaintBaseline,
    MeanBaseline,
    NearestBaseline,
    NoiseBaseline,
    SuperpixelMeanBaseline,
    nats_off_data,
)
from cellxai.explain.superpixels.base import superpixel_means
from cellxai.files.identity import describe_settings


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


def test_the_mean_baseline_keeps_the_mean_of_each_channel(images, context):
    filled = MeanBaseline().fill(images, context.superpixels)
    assert (filled.std((-1, -2)) < 1e-6).all()
    torch.testing.assert_close(filled.mean((-1, -2)), images.mean((-1, -2)))


@pytest.mark.parametrize("baseline", [InpaintBaseline(), NoiseBaseline(), MeanBaseline()])
def test_a_batch_is_filled_like_its_images_alone(baseline, images, context):
    together = baseline.fill(images, context.superpixels)
    pairs = zip(images.split(1), context.superpixels.split(1), strict=True)
    alone = torch.cat([baseline.fill(*pair) for pair in pairs])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)
    assert together.min() >= 0
    assert together.max() <= 1


def test_noise_has_the_images_statistics_and_is_repeated_by_its_seed(context):
    images = 0.5 + 0.1 * torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(2, 64, 64, dtype=torch.long)
    filled = NoiseBaseline(seed=1).fill(images, labels)
    torch.testing.assert_close(filled.mean((-1, -2)), images.mean((-1, -2)), atol=0.01, rtol=0)
    torch.testing.assert_close(filled.std((-1, -2)), images.std((-1, -2)), atol=0.01, rtol=0)
    assert torch.equal(filled, NoiseBaseline(seed=1).fill(images, labels))
    assert not torch.equal(filled, NoiseBaseline(seed=2).fill(images, labels))


def test_the_nearest_image_of_the_bank_is_taken_but_never_the_image_itself(images, context):
    bank = torch.cat([images, (images + 0.05).clamp(0, 1), torch.zeros(1, 3, 16, 16)])
    filled = NearestBaseline(bank).fill(images, context.superpixels)
    assert torch.equal(filled, bank[3:6])
    by_red = NearestBaseline(bank, features=lambda x: x[:, 0].mean((1, 2))[:, None])
    assert by_red.fill(images[:1], context.superpixels[:1]).shape == (1, 3, 16, 16)


def test_a_bank_that_cannot_serve_is_refused(images, context):
    with pytest.raises(ValueError, match=r"shape \[3, 8, 8\], expected \[3, 16, 16\]"):
        NearestBaseline(torch.zeros(2, 3, 8, 8)).fill(images, context.superpixels)
    with pytest.raises(ValueError, match="nothing but the explained image"):
        NearestBaseline(images[:1]).fill(images[:1], context.superpixels[:1])


def test_two_banks_are_told_apart_in_what_results_are_stored_with(images):
    text = describe_settings(NearestBaseline(images))
    assert text != describe_settings(NearestBaseline(images.flip(0)))
    assert text == describe_settings(NearestBaseline(images.clone()))


def test_off_data_is_the_fall_of_the_log_density(images, context):
    def log_density(x):
        return -x.flatten(1).square().sum(1)

    fall = nats_off_data(images, context.baseline, log_density)
    torch.testing.assert_close(fall, log_density(images) - log_density(context.baseline))
    assert (nats_off_data(images, images, log_density) == 0).all()
