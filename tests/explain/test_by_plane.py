"""Players that are superpixel × plane, and maps that keep their plane."""

import pytest
import torch
from attention_only import OF_ATTENTION
from torch import Tensor, nn

from cellxai.explain.base import Context
from cellxai.explain.by_plane import lay_under_each_other, players
from cellxai.explain.catalogue import every_explainer
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.hiding.occlusion import FeatureAblation, Occlusion
from cellxai.explain.hiding.shapley import KernelShap, ShapleyValueSampling
from cellxai.explain.lime.captum import CaptumLime
from cellxai.explain.lime.lime import Lime
from cellxai.explain.lime.reference import LimeReference
from cellxai.explain.shapley import LeverageShap

BY_SUPERPIXEL = {
    "lime": lambda by_plane: Lime(60, by_plane=by_plane),
    "lime-reference": lambda by_plane: LimeReference(60, by_plane=by_plane),
    "lime-captum": lambda by_plane: CaptumLime(60, by_plane=by_plane),
    "ablation": lambda by_plane: FeatureAblation(by_plane=by_plane),
    "shapley-sampling": lambda by_plane: ShapleyValueSampling(2, by_plane=by_plane),
    "kernel-shap": lambda by_plane: KernelShap(40, by_plane=by_plane),
    "leverage-shap": lambda by_plane: LeverageShap(40, by_plane=by_plane),
}
NO_PLANES = {"gradcam", "centre", "lrp-plus-flat"} | OF_ATTENTION
EXPLAINERS = every_explainer(n_samples=40)
KEEPING = sorted(set(EXPLAINERS) - NO_PLANES - set(BY_SUPERPIXEL) - {"occlusion"})


class LinearInPlanes(nn.Module):
    """Target logit k is the sum over planes and pixels of weight[k] × pixel."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights.double())

    def forward(self, images: Tensor) -> Tensor:
        return images.double().flatten(1) @ self.weights.flatten(1).T


@pytest.fixture
def linear_in_planes() -> LinearInPlanes:
    return LinearInPlanes(torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(5)))


@pytest.fixture
def exact(linear_in_planes, images, targets, context, quarters) -> Tensor:
    """w·(x − baseline) in each plane and superpixel [b c s]."""
    change = linear_in_planes.weights[targets] * (images - context.baseline)
    shares = nn.functional.one_hot(quarters.flatten()).double()
    return (change.flatten(2) @ shares).detach()


@pytest.mark.parametrize(
    "explainer",
    [
        FeatureAblation(True),
        ShapleyValueSampling(2, True),
        KernelShap(400, True),
        LeverageShap(40, by_plane=True),
    ],
    ids=lambda explainer: type(explainer).__name__,
)
def test_a_linear_model_gets_its_change_in_each_plane_and_superpixel_back(
    explainer, linear_in_planes, images, targets, context, exact
):
    attribution = explainer.attribute(linear_in_planes, images, targets, context)
    torch.testing.assert_close(
        attribution.superpixel_plane_values.double(), exact, rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("name", ["ablation", "shapley-sampling", "kernel-shap", "leverage-shap"])
def test_planes_of_an_additive_model_sum_to_what_a_superpixel_gets_by_itself(
    name, linear_in_planes, images, targets, context
):
    by_plane, whole = (
        BY_SUPERPIXEL[name](flag).attribute(linear_in_planes, images, targets, context)
        for flag in (True, False)
    )
    torch.testing.assert_close(
        by_plane.superpixel_values, whole.superpixel_values, rtol=1e-3, atol=1e-3
    )
    torch.testing.assert_close(by_plane.values, whole.values, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", BY_SUPERPIXEL)
def test_with_one_plane_the_players_are_the_superpixels_to_the_last_bit(
    name, net, images, targets, context
):
    one, grey = images[:, :1], lambda batch: net(batch.expand(-1, 3, -1, -1))
    alone = Context(context.superpixels, context.baseline[:, :1], seed=7, batch_size=4)
    by_plane, whole = (
        attribute_with_cost(BY_SUPERPIXEL[name](flag), grey, one, targets, alone)
        for flag in (True, False)
    )
    assert torch.equal(by_plane.values, whole.values)
    assert torch.equal(by_plane.plane_values[:, 0], whole.values)
    assert torch.equal(by_plane.superpixel_values, whole.superpixel_values)
    assert (by_plane.status, by_plane.cost.forwards) == (whole.status, whole.cost.forwards)


@pytest.mark.parametrize("name", [*BY_SUPERPIXEL, "occlusion"])
def test_coefficients_of_planes_sum_to_the_map_and_each_superpixel_has_one_value(
    name, net, images, targets, context
):
    makers = {**BY_SUPERPIXEL, "occlusion": lambda flag: Occlusion(4, 4, by_plane=flag)}
    attribution = attribute_with_cost(makers[name](True), net, images, targets, context)
    assert torch.equal(attribution.plane_values.sum(1), attribution.values)
    assert makers[name](False).attribute(net, images, targets, context).plane_values is None
    if name != "occlusion":
        coefficients = attribution.superpixel_plane_values
        painted = torch.stack(
            [c[:, labels] for c, labels in zip(coefficients, context.superpixels, strict=True)]
        )
        assert torch.equal(painted, attribution.plane_values)


@pytest.mark.parametrize("name", KEEPING)
def test_what_keeps_its_planes_sums_to_its_map(name, relu_net, images, targets, context):
    attribution = attribute_with_cost(EXPLAINERS[name], relu_net, images, targets, context)
    summed, scale = attribution.plane_values.sum(1), attribution.plane_values.abs().max()
    torch.testing.assert_close(summed, attribution.values, rtol=0, atol=float(3e-6 * scale))
    assert not torch.equal(attribution.plane_values[:, 0], attribution.plane_values[:, 1])


@pytest.mark.parametrize("name", sorted(NO_PLANES))
def test_what_cannot_tell_planes_apart_says_why(name, net, images, targets, context):
    assert EXPLAINERS[name].attribute(net, images, targets, context).plane_values is None
    assert "plane" in EXPLAINERS[name].no_planes


def test_every_explainer_keeps_planes_or_takes_by_plane_or_says_why():
    for name, explainer in EXPLAINERS.items():
        ways = [name in KEEPING, hasattr(explainer, "by_plane"), bool(explainer.no_planes)]
        assert sum(ways) == 1, name


def test_gradients_stay_in_the_plane_that_the_model_reads(images, targets, context):
    def reads_the_second_plane(batch):
        return batch[:, 1].square().flatten(1)[:, :3]

    names = ("saliency", "integrated-gradients", "gradient-shap", "deeplift", "input-x-gradient")
    for name in names:
        planes = EXPLAINERS[name].attribute(reads_the_second_plane, images, targets, context)
        assert planes.plane_values[:, [0, 2]].abs().max() == 0
        assert planes.plane_values[:, 1].abs().max() > 0


def test_occlusion_by_plane_equals_a_slow_loop_over_windows_and_planes(
    net, images, targets, context
):
    def logits(batch):
        with torch.no_grad():
            return net(batch).gather(1, targets[:, None])[:, 0]

    expected = torch.zeros_like(images)
    for plane in range(3):
        for top in range(0, 16, 4):
            for left in range(0, 16, 4):
                hidden, window = images.clone(), (slice(None), plane, slice(top, top + 4),
                                                  slice(left, left + 4))  # fmt: skip
                hidden[window] = context.baseline[window]
                expected[window] = (logits(images) - logits(hidden))[:, None, None]
    attribution = Occlusion(4, 4, by_plane=True).attribute(net, images, targets, context)
    torch.testing.assert_close(attribution.plane_values, expected, rtol=0, atol=1e-6)


def test_our_lime_by_plane_equals_the_packages(net, images, targets, context):
    ours = Lime(60, by_plane=True).attribute(net.double(), images.double(), targets, Context(
        context.superpixels, context.baseline.double(), seed=7, batch_size=4))  # fmt: skip
    package = LimeReference(60, by_plane=True).attribute(
        net, images.double(), targets, Context(
            context.superpixels, context.baseline.double(), seed=7, batch_size=4))  # fmt: skip
    torch.testing.assert_close(ours.plane_values, package.plane_values, rtol=0, atol=1e-12)


def test_images_with_fewer_superpixels_are_padded_at_the_end(net, images, targets, context):
    superpixels = context.superpixels.clone()
    superpixels[1] = superpixels[1].clamp(max=1)
    fewer = Context(superpixels, context.baseline, seed=7, batch_size=4)
    attribution = FeatureAblation(by_plane=True).attribute(net, images, targets, fewer)
    known = attribution.superpixel_plane_values.isfinite()
    assert known.sum(2).tolist() == [[4] * 3, [2] * 3, [4] * 3]
    assert known[1, :, :2].all()
    alone = Context(superpixels[1:2], context.baseline[1:2], seed=7, batch_size=4)
    single = FeatureAblation(by_plane=True).attribute(net, images[1:2], targets[1:2], alone)
    torch.testing.assert_close(attribution.plane_values[1:2], single.plane_values)


def test_a_tall_image_has_the_planes_below_each_other_and_a_player_for_each(images):
    tall = lay_under_each_other(images)
    assert torch.equal(tall[:, 0, 16:32], images[:, 1])
    labels = players(torch.arange(4).reshape(1, 2, 2), 3)
    assert labels[0].tolist() == [[0, 3], [6, 9], [1, 4], [7, 10], [2, 5], [8, 11]]


@pytest.mark.parametrize("explainer", [Lime(60, by_plane=True), Occlusion(8, 8, by_plane=True)])
def test_a_grey_image_in_three_planes_is_degraded(explainer, net, images, targets, context):
    grey = images[:, :1].expand(-1, 3, -1, -1)
    attribution = attribute_with_cost(explainer, net, grey, targets, context)
    assert attribution.status == "degraded"
    assert "all planes are alike" in attribution.reason


def test_too_few_samples_count_superpixels_of_single_planes(net, images, targets, context):
    attribution = KernelShap(12, by_plane=True).attribute(net, images, targets, context)
    assert attribution.reason == (
        "12 samples for 12 superpixels of single planes have no unique answer"
    )
