import numpy as np
import pytest
import torch
from scipy.ndimage import sobel

from cellxai.explain.base import Context
from cellxai.explain.controls import (
    CentreGaussian,
    Edges,
    ImageItself,
    RandomAttribution,
    sobel_magnitude,
)
from cellxai.explain.cost import attribute_with_cost


def test_random_maps_repeat_by_seed_and_image_in_any_batch(net, images, targets, context):
    together = RandomAttribution().attribute(net, images, targets, context).values
    last = Context(context.superpixels[2:], context.baseline[2:], seed=7)
    alone = RandomAttribution().attribute(net, images[2:], targets[2:], last).values
    other = Context(context.superpixels, context.baseline, seed=8)
    assert torch.equal(together[2:], alone)
    assert not torch.equal(together[0], together[1])
    assert not torch.equal(
        RandomAttribution().attribute(net, images, targets, other).values, together
    )


def test_sobel_equals_scipys(images):
    grey = images.mean(1)
    slopes = [[sobel(x, axis, mode="nearest") / 8 for axis in (0, 1)] for x in grey.numpy()]
    expected = torch.tensor(np.array(slopes)).norm(dim=1)
    torch.testing.assert_close(sobel_magnitude(grey), expected)


def test_controls_never_ask_the_model(net, images, targets, context):
    for control in (RandomAttribution(), Edges(), CentreGaussian(), ImageItself()):
        attribution = attribute_with_cost(control, net, images, targets, context)
        assert attribution.values.shape == (3, 16, 16)
        assert (attribution.cost.forwards, attribution.cost.backwards) == (0, 0)


def test_the_bell_is_highest_in_the_middle_and_the_same_for_all_images(
    net, images, targets, context
):
    values = CentreGaussian(width=0.1).attribute(net, images, targets, context).values
    assert values[0].argmax() == 7 * 16 + 7  # one of the four middle pixels, all alike
    torch.testing.assert_close(values, values.flip(1, 2))
    torch.testing.assert_close(values, values.transpose(1, 2))
    assert torch.equal(values[0], values[2])
    with pytest.raises(ValueError, match=r"width=0\.0"):
        CentreGaussian(width=0.0)


def test_the_image_itself_is_its_brightness_about_the_mean(net, images, targets, context):
    values = ImageItself().attribute(net, images, targets, context).values
    torch.testing.assert_close(values + images.mean((1, 2, 3), keepdim=True)[:, 0], images.mean(1))
