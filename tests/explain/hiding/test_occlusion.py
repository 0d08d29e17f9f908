import pytest
import torch
from captum import attr

from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.hiding.occlusion import FeatureAblation, Occlusion


def target_logits(net, images, targets):
    with torch.no_grad():
        return net(images).gather(1, targets[:, None])[:, 0]


def test_occlusion_equals_the_raw_captum_call(net, images, targets, context):
    raw = attr.Occlusion(net).attribute(images, (3, 5, 5), (3, 2, 2), context.baseline, targets)
    values = Occlusion(window_px=5, stride_px=2).attribute(net, images, targets, context).values
    torch.testing.assert_close(values, raw[:, 0].detach(), rtol=0, atol=1e-6)


def test_occlusion_equals_a_slow_loop_over_windows(net, images, targets, context):
    total, count = torch.zeros(3, 16, 16), torch.zeros(16, 16)
    for top in range(0, 16, 4):
        for left in range(0, 16, 4):
            hidden, rows, columns = images.clone(), slice(top, top + 4), slice(left, left + 4)
            hidden[..., rows, columns] = context.baseline[..., rows, columns]
            fall = target_logits(net, images, targets) - target_logits(net, hidden, targets)
            total[:, rows, columns] += fall[:, None, None]
            count[rows, columns] += 1
    values = Occlusion(window_px=4, stride_px=4).attribute(net, images, targets, context).values
    torch.testing.assert_close(values, total / count, rtol=0, atol=1e-6)


def test_ablation_gives_a_linear_model_its_contributions_back(
    linear, images, targets, context, contributions
):
    attribution = FeatureAblation().attribute(linear, images, targets, context)
    torch.testing.assert_close(
        attribution.superpixel_values.double(), contributions, rtol=0, atol=1e-6
    )


def test_ablation_equals_the_raw_captum_call(net, images, targets, context):
    raw = attr.FeatureAblation(net).attribute(
        images, context.baseline, targets, feature_mask=context.superpixels[:1, None]
    )
    values = FeatureAblation().attribute(net, images, targets, context).values
    torch.testing.assert_close(values, raw[:, 0].detach(), rtol=0, atol=1e-6)


def test_each_window_and_each_superpixel_costs_one_forward_and_the_image_one(
    net, images, targets, context
):
    occlusion = attribute_with_cost(Occlusion(5, 2), net, images, targets, context).cost
    ablation = attribute_with_cost(FeatureAblation(), net, images, targets, context).cost
    assert (occlusion.forwards, occlusion.backwards) == (3 * (1 + 7 * 7), 0)
    assert (ablation.forwards, ablation.backwards) == (3 * (1 + 4), 0)


def test_a_window_larger_than_the_image_is_refused(net, images, targets, context):
    with pytest.raises(ValueError, match="window_px=17 is larger than the 16×16 images"):
        Occlusion(17, 8).attribute(net, images, targets, context)


def test_a_stride_that_leaves_pixels_out_is_refused():
    with pytest.raises(ValueError, match="stride_px=9 with window_px=8"):
        Occlusion(window_px=8, stride_px=9)
