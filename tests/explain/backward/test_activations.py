import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cellxai.explain.backward.deeplift import DeepLift
from cellxai.explain.backward.guided import Deconvolution, GuidedBackprop
from cellxai.explain.backward.lrp import LRP


class Net(nn.Module):
    def __init__(self, activation) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.activation = activation
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 12, 3, stride=2)
        self.head = nn.Linear(12, 3)

    def forward(self, images):
        y = self.activation(self.first(images))
        return self.head(self.activation(self.second(y)).mean((2, 3)))


class OwnRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (ctx.saved_tensors[0] > 0)


def zero_what_is_negative(y):
    y[y < 0] = 0
    return y


METHODS = [GuidedBackprop(), Deconvolution()]
IN_OTHER_WORDS = {
    "clamp": lambda y: y.clamp(min=0),
    "clamp_min": lambda y: torch.clamp_min(y, 0),
    "clip": lambda y: torch.clip(y, 0),
    "relu6": lambda y: y.clamp(0, 6),
    "hardtanh": lambda y: F.hardtanh(y, 0, 6),
    "maximum": lambda y: torch.maximum(y, torch.zeros_like(y)),
    "max": lambda y: torch.max(torch.zeros(()), y),
    "threshold": lambda y: F.threshold(y, 0.0, 0.0),
    "layer": nn.Threshold(0, 0),
    "where": lambda y: torch.where(y > 0, y, 0.0),
    "zeros where": lambda y: torch.where(y <= 0, torch.zeros_like(y), y),
    "mask": lambda y: y * (y > 0),
    "masked_fill": lambda y: y.masked_fill(y < 0, 0),
    "assignment": zero_what_is_negative,
}
OTHERS = {
    "abs": torch.abs,
    "leaky where": lambda y: torch.where(y > 0, y, 0.1 * y),
    "hardtanh": nn.Hardtanh(-0.1, 0.1),
    "bounds": lambda y: y.clamp(-0.1, 0.1),
    "floor": lambda y: torch.maximum(y, torch.full_like(y, -0.05)),
    "threshold": nn.Threshold(0.1, 0.0),
    "softsign": F.softsign,
}


@pytest.mark.parametrize("words", IN_OTHER_WORDS)
@pytest.mark.parametrize("method", METHODS)
def test_a_relu_in_other_words_is_a_relu(method, words, images, targets, context):
    expected = method.attribute(Net(F.relu).eval(), images, targets, context)
    actual = method.attribute(Net(IN_OTHER_WORDS[words]).eval(), images, targets, context)
    assert (actual.status, actual.reason) == ("ok", "")
    torch.testing.assert_close(actual.values, expected.values)


@pytest.mark.parametrize("words", OTHERS)
def test_what_bends_and_is_no_relu_is_degraded(words, images, targets, context):
    actual = GuidedBackprop().attribute(Net(OTHERS[words]).eval(), images, targets, context)
    assert actual.status == "degraded"
    assert "2 of 2 activations are not a ReLU" in actual.reason


def test_a_bound_that_no_pixel_meets_is_no_activation(relu_net, images, targets, context):
    expected = GuidedBackprop().attribute(relu_net, images, targets, context)
    actual = GuidedBackprop().attribute(lambda x: relu_net(x.clamp(0, 1)), images, targets, context)
    assert actual.status == "ok"
    torch.testing.assert_close(actual.values, expected.values)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("method", METHODS)
def test_a_relu_that_no_rule_can_see_is_said(method, images, targets, context):
    net = Net(F.relu).eval()
    hiding = {"OwnRelu": Net(OwnRelu.apply).eval(), "relu": torch.jit.trace(net, images)}
    for name, model in hiding.items():
        attribution = method.attribute(model, images, targets, context)
        assert attribution.status == "degraded"
        assert f"2 of 2 activations are hidden from the rule ({name})" in attribution.reason


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_one_layer_in_torchscript_is_said_too(images, targets, context):
    activation = torch.jit.script(nn.ReLU())
    mixed = nn.Sequential(
        nn.Conv2d(3, 4, 3), activation, nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(4 * 144, 3),
    ).eval()  # fmt: skip
    attribution = GuidedBackprop().attribute(mixed, images, targets, context)
    assert attribution.status == "degraded"
    assert "1 of 2 activations are hidden from the rule (relu)" in attribution.reason


RELUS = {
    "clamp": lambda x: x.clamp(min=0),
    "clamp_min": lambda x: x.clamp_min(0),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "threshold": lambda x: nn.functional.threshold(x, 0, 0),
    "hardtanh": lambda x: nn.functional.hardtanh(x, 0, 1e9),
    "where": lambda x: torch.where(x > 0, x, torch.zeros_like(x)),
    "masked_fill": lambda x: x.masked_fill(x < 0, 0),
    "a mask": lambda x: x * (x > 0),
}


@pytest.mark.parametrize("words", RELUS)
@pytest.mark.parametrize("explainer", [LRP(), DeepLift()], ids=lambda e: type(e).__name__)
def test_methods_with_rules_know_a_relu_in_whatever_words(
    explainer, words, images, targets, context
):
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 3)

    def maps(relu):
        network = lambda x: second(relu(first(x))).mean((2, 3))  # noqa: E731
        return explainer.attribute(network, images, targets, context)

    expected, actual = maps(torch.relu), maps(RELUS[words])
    assert actual.status == expected.status == "ok"
    torch.testing.assert_close(actual.values, expected.values, rtol=1e-4, atol=1e-6)
