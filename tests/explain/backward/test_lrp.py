from typing import get_args

import pytest
import timm
import torch
from captum import attr
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule
from torch import nn

from cellxai.explain.backward.lrp import LRP
from cellxai.explain.backward.lrp_spreads import CompositeName
from cellxai.explain.base import Context
from cellxai.explain.score import LogOdds, Probability, Score, Scored

COMPOSITES = [name for name in get_args(CompositeName) if not name.startswith("attention")]


class WithoutBias(nn.Module):
    """A ReLU network that Captum has rules for, and biases do not matter in."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.second = nn.Conv2d(6, 8, 3, stride=2, bias=False)
        self.relu_1, self.relu_2 = nn.ReLU(), nn.ReLU()
        self.head = nn.Linear(8 * 49, 3, bias=False)

    def forward(self, images):
        return self.head(self.relu_2(self.second(self.relu_1(self.first(images)))).flatten(1))


@pytest.mark.parametrize(
    ("composite", "rule"), [("epsilon", EpsilonRule), ("epsilon-plus", Alpha1_Beta0_Rule)]
)
def test_it_equals_the_raw_captum_call_where_captum_conserves(
    composite, rule, images, targets, context
):
    model = WithoutBias().eval()
    values = LRP(composite).attribute(model, images, targets, context).values
    model.first.rule, model.second.rule, model.head.rule = rule(), rule(), EpsilonRule()
    raw = attr.LRP(model).attribute(images.clone().requires_grad_(), targets)
    torch.testing.assert_close(values, raw.sum(1).detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("composite", COMPOSITES)
def test_relevance_is_conserved_through_gates_batch_norm_and_residuals(
    composite, gated_net, images, targets, context
):
    attribution = LRP(composite).attribute(gated_net, images, targets, context)
    with torch.no_grad():
        scores = gated_net(images).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(attribution.values.sum((1, 2)), scores, rtol=0.01, atol=1e-4)
    assert attribution.status == "ok"


@pytest.mark.parametrize("composite", COMPOSITES)
def test_a_batch_equals_its_images_one_by_one(
    composite, gated_net, images, targets, context, maps_alone
):
    together = LRP(composite).attribute(gated_net, images, targets, context).values
    alone = maps_alone(LRP(composite), gated_net)
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-5)


def test_a_function_without_a_rule_is_unsupported_by_name(images, targets, context):
    attribution = LRP().attribute(lambda x: x.mean((2, 3)).cumsum(1), images, targets, context)
    assert attribution.status == "unsupported"
    assert attribution.reason == "LRP has no rule for torch's cumsum"
    assert attribution.values.isnan().all()


@pytest.mark.parametrize(
    "name", ["tf_efficientnetv2_b0", "resnet18", "mobilenetv2_100", "convnext_atto"]
)
def test_real_architectures_conserve_relevance(name, targets):
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=3).eval()
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)  # some start at 0: a branch that is a constant
    images = torch.rand(2, 3, 64, 64)
    context = Context(torch.zeros(2, 64, 64, dtype=torch.long), torch.zeros_like(images))
    attribution = LRP().attribute(model, images, targets[:2], context)
    with torch.no_grad():
        scores = model(images).gather(1, targets[:2, None])[:, 0]
    torch.testing.assert_close(attribution.values.sum((1, 2)), scores, rtol=0.05, atol=1e-5)
    assert attribution.status == "ok"


class Normalised(nn.Module):
    """Normalises as the classifier does, convolves, and asks a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution, self.head = nn.Conv2d(2, 3, 3, stride=2), nn.Linear(12, 2)

    def forward(self, images):
        normalised = (images - torch.tensor([0.4, 0.6])[:, None, None]) / 0.2
        return self.head(self.convolution(normalised).relu().flatten(1))


def matrix_of(layer, shape):
    """A linear layer as a matrix, column by column."""
    size = torch.Size(shape).numel()
    units = torch.eye(size, dtype=torch.float64).view(size, *shape)
    zero = layer(torch.zeros(1, *shape, dtype=torch.float64))
    return (layer(units) - zero).flatten(1).T


def relevance_by_loops(model, image, target, composite, gamma):
    """LRP of one image as sums over single weights."""
    model = model.double()
    mean = torch.tensor([0.4, 0.6], dtype=torch.float64)[:, None, None]
    pixels, low, high = (((x - mean) / 0.2).flatten() for x in (image, 0 * image, 0 * image + 1))
    weight = matrix_of(model.convolution, image.shape)
    hidden = model.convolution(((image - mean) / 0.2)[None]).relu().flatten()
    of_hidden = torch.zeros_like(hidden)
    score = model(image[None])[0, target]
    parts = [float(h * w) for h, w in zip(hidden, model.head.weight[target], strict=True)]
    for j, part in enumerate(parts):
        of_bias = float(model.head.bias[target]) * abs(part) / sum(map(abs, parts))
        of_hidden[j] = part + of_bias  # of the score: ε, the bias spread
    bias = model.convolution.bias.repeat_interleave(4)
    of_pixels = torch.zeros_like(pixels)
    for k in range(len(hidden)):
        if not hidden[k]:
            continue
        x, w = pixels, weight[k]
        if composite == "epsilon-gamma-box":
            shares = x * w - low * w.clamp(min=0) - high * w.clamp(max=0)
        elif composite == "epsilon-plus-flat":
            shares = (w != 0).double()
        else:
            raised = x * w + gamma * (x * w).clamp(min=0)
            of_bias = bias[k] + gamma * bias[k].clamp(min=0)
            shares = raised + of_bias * (x * w).abs() / (x * w).abs().sum()
        of_pixels += shares / shares.sum() * of_hidden[k]
    return score, of_pixels.view_as(image).sum(0)


@pytest.mark.parametrize("composite", ["epsilon-gamma", "epsilon-gamma-box", "epsilon-plus-flat"])
def test_a_small_network_equals_loops_over_its_weights(composite):
    """The box of the first convolution is [0, 1] as the network normalises it."""
    model = Normalised().double().eval()
    images = torch.rand(2, 2, 5, 5, generator=torch.Generator().manual_seed(4)).double()
    context = Context(torch.zeros(2, 5, 5, dtype=torch.long), torch.zeros_like(images))
    model.forward = lambda x: Normalised.forward(model, x)
    targets = torch.tensor([0, 1])
    attribution = LRP(composite, gamma=0.4).attribute(model, images, targets, context)
    assert attribution.status == "ok"
    with torch.no_grad():
        for image, target, values in zip(images, targets, attribution.values, strict=True):
            score, expected = relevance_by_loops(model, image, target, composite, 0.4)
            torch.testing.assert_close(values, expected, rtol=1e-5, atol=1e-6)
            torch.testing.assert_close(values.sum(), score, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("words", ["in place", "views", "turned channels", "batch norm"])
@pytest.mark.parametrize("composite", ["epsilon-gamma-box", "epsilon-plus-flat"])
def test_the_layer_of_the_pixels_is_found_in_whatever_words(
    words, composite, images, targets, context
):
    torch.manual_seed(0)
    convolution, head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 3)
    norm = nn.BatchNorm2d(3, affine=False).eval()
    norm.running_mean.fill_(0.5)
    norm.running_var.fill_(0.04 - norm.eps)

    def normalised(x):
        if words == "in place":
            return x.clone().sub_(0.5).div_(0.2)
        if words == "views":
            return ((x.flatten(2) - 0.5) / 0.2).unflatten(2, (16, 16))
        if words == "turned channels":  # and turned back
            return -((0.5 - x) / 0.2).permute(0, 2, 3, 1).permute(0, 3, 1, 2)
        return norm(x)

    def network(x):
        return head(convolution(normalised(x)).relu().mean((2, 3)))

    def plain(x):
        return head(convolution((x - 0.5) / 0.2).relu().mean((2, 3)))

    maps = [LRP(composite).attribute(f, images, targets, context) for f in (network, plain)]
    assert [attribution.status for attribution in maps] == ["ok", "ok"]
    torch.testing.assert_close(maps[0].values, maps[1].values, rtol=1e-4, atol=1e-6)


def test_a_rule_of_pixels_that_no_layer_uses_is_degraded(images, targets, context):
    head = nn.Linear(3, 3)
    attribution = LRP("epsilon-gamma-box").attribute(
        lambda x: head(x.mean((2, 3))), images, targets, context
    )
    assert attribution.status == "degraded"
    assert "no layer sees the pixels themselves" in attribution.reason


def test_pixels_outside_the_box_are_named(relu_net, images, targets, context):
    lrp = LRP("epsilon-gamma-box")
    attribution = lrp.attribute(relu_net, 255 * images, targets, context)
    assert attribution.reason == "pixels lie outside box=[0, 1] (3 of 3 images)"
    wide = LRP("epsilon-gamma-box", box=(0.0, 255.0))
    assert wide.attribute(relu_net, 255 * images, targets, context).status == "ok"


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"gamma": -1.0}, "gamma=-1.0"), ({"box": (1.0, 0.0)}, "expected the least")],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        LRP(**settings)


class Margin(Score):
    """The lead of a class over the mean of the others."""

    def scores(self, outputs):
        k = outputs.shape[1]
        return (outputs * k - outputs.sum(1, keepdim=True)) / (k - 1)


def test_a_margin_is_the_difference_of_the_maps_of_the_logits(relu_net, images, targets, context):
    """A score that is linear in the logits loses nothing, and LRP is linear in what it starts from.

    Exactly so with the head as the only layer whose relevance could depend on the start.
    """
    margin = LRP().attribute(Scored(relu_net, Margin()), images, targets, context)
    logits = torch.stack(
        [LRP().attribute(relu_net, images, torch.full((3,), k), context).values for k in range(3)]
    )
    weights = Margin().scores(torch.eye(3)).T[targets]
    expected = torch.einsum("bk,kbhw->bhw", weights, logits)
    torch.testing.assert_close(margin.values, expected, rtol=1e-4, atol=1e-6)
    assert (margin.status, margin.reason) == ("ok", "")


@pytest.mark.parametrize("score", [LogOdds(), Probability()])
def test_a_score_hands_each_logit_its_value_times_the_slope(
    score, gated_net, images, targets, context
):
    attribution = LRP().attribute(Scored(gated_net, score), images, targets, context)
    logits = gated_net(images).detach().requires_grad_()
    score.scores(logits).gather(1, targets[:, None]).sum().backward()
    promised = (logits.grad * logits.detach()).sum(1)
    torch.testing.assert_close(attribution.values.sum((1, 2)), promised, rtol=0.01, atol=1e-4)
    assert attribution.status == "ok"
    assert "not to the score" in attribution.reason


def test_a_network_that_is_a_plain_function_is_explained_like_the_module(
    gated_net, images, targets, context
):
    """Its weights cannot be frozen, and are no evidence all the same."""
    module = LRP().attribute(gated_net, images, targets, context)
    function = LRP().attribute(lambda x: gated_net(x), images, targets, context)
    torch.testing.assert_close(function.values, module.values)
    assert function.status == "ok"


def test_weights_that_come_from_the_images_have_no_rule(images, targets, context):
    def model(x):
        return nn.functional.linear(x.mean((2, 3)), x.mean((0, 2, 3))[None].expand(3, 3))

    attribution = LRP().attribute(model, images, targets, context)
    assert attribution.status == "unsupported"
    assert "no rule for torch's linear whose weights come from the images" in attribution.reason


def test_functions_that_no_rule_sees_are_named(net, images, targets, context):
    """A network that is nearly linear would pass the law of the sum with plain gradients."""
    traced = torch.jit.trace(net, images)
    for model in (traced, nn.Sequential(traced, nn.Identity())):
        attribution = LRP().attribute(model, images, targets, context)
        assert attribution.status == "degraded"
        assert "functions are hidden from the rules, in TorchScript" in attribution.reason
        assert "Convolution" in attribution.reason
    assert LRP().attribute(net, images, targets, context).status == "ok"
