"""A network that writes over its tensors is the network that makes new ones."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cellxai.explain.backward.deeplift import DeepLift
from cellxai.explain.backward.guided import Deconvolution, GuidedBackprop
from cellxai.explain.backward.lrp import LRP
from cellxai.explain.backward.rules import NoRuleError, Rules, own_rule, run_under

SHIFT = torch.linspace(-0.2, 0.3, 8)[:, None, None]


class Net(nn.Module):
    """Two convolutions with something between them."""

    def __init__(self, between) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.between = between
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 6, 3)
        self.head = nn.Linear(6, 3)

    def forward(self, images):
        y = self.between(self.first(images))
        return self.head(self.second(y).relu().mean((2, 3)))


def statement(work):
    """``work`` called for what it does to its argument."""

    def between(y):
        work(y)
        return y

    return between


def write_into_part(y):
    part = y[:, 2:5]
    part.relu_()


def write_through_a_view(y):
    rows = y.flatten(2)
    y.relu_()
    return rows.view_as(y)


def overwrite_what_was_needed(y):
    gate = y.sigmoid()
    z = y * gate
    y.relu_().mul_(0.5)
    z += y
    gate.zero_()
    return z


TWINS = {
    "layer": (statement(nn.ReLU(inplace=True)), F.relu),
    "method": (statement(lambda y: y.relu_()), F.relu),
    "functional": (statement(lambda y: F.relu(y, True)), F.relu),
    "leaky": (statement(lambda y: F.leaky_relu_(y, 0.1)), lambda y: F.leaky_relu(y, 0.1)),
    "silu": (statement(lambda y: F.silu(y, inplace=True)), F.silu),
    "sum": (statement(lambda y: y.add_(y.relu())), lambda y: y + y.relu()),
    "gate": (statement(lambda y: y.mul_(y.sigmoid())), lambda y: y * y.sigmoid()),
    "gate first": (lambda y: y.sigmoid().mul_(y), lambda y: y.sigmoid() * y),
    "gate written": (
        lambda y: statement(lambda g: g.sigmoid_())(y * 1.0).mul_(y),
        lambda y: (y * 1.0).sigmoid() * y,
    ),
    "clamp": (statement(lambda y: y.clamp_(min=0)), lambda y: y.clamp(min=0)),
    "out": (
        lambda y: torch.add(y, y.relu(), out=torch.empty_like(y.detach())),
        lambda y: y + y.relu(),
    ),
    "part": (
        statement(write_into_part),
        lambda y: torch.cat([y[:, :2], y[:, 2:5].relu(), y[:, 5:]], 1),
    ),
    "view": (write_through_a_view, lambda y: y.relu().view_as(y)),
    "assignment": (
        statement(lambda y: y.__setitem__((slice(None), 0), y[:, 1].relu())),
        lambda y: torch.cat([y[:, 1:2].relu(), y[:, 1:]], 1),
    ),
    "needed": (
        overwrite_what_was_needed,
        lambda y: (y * y.sigmoid()) + y.relu() * 0.5,
    ),
    "axes": (lambda y: y.relu().unsqueeze_(1).squeeze_(1), F.relu),
}


@pytest.mark.parametrize("words", TWINS)
@pytest.mark.parametrize("explainer", [GuidedBackprop(), Deconvolution(), DeepLift(), LRP()])
def test_a_statement_in_place_is_explained_like_a_new_tensor(
    explainer, words, images, targets, context
):
    in_place, copying = (Net(between).eval() for between in TWINS[words])
    with torch.no_grad():  # torch itself has no gradient for ``out``
        torch.testing.assert_close(in_place(images), copying(images))
    actual = explainer.attribute(in_place, images, targets, context)
    expected = explainer.attribute(copying, images, targets, context)
    assert (actual.status, actual.reason) == (expected.status, expected.reason)
    torch.testing.assert_close(actual.values, expected.values, equal_nan=True)


@pytest.mark.parametrize("explainer", [GuidedBackprop(), DeepLift(), LRP()])
def test_a_model_may_write_into_its_images(explainer, relu_net, images, targets, context):
    before = images.clone()
    expected = explainer.attribute(lambda x: relu_net(x - 0.25), images, targets, context).values
    actual = explainer.attribute(lambda x: relu_net(x.sub_(0.25)), images, targets, context).values
    torch.testing.assert_close(actual, expected)
    assert torch.equal(images, before)


def test_a_convolution_written_over_is_not_what_its_batch_norm_normalises(images, targets, context):
    torch.manual_seed(0)
    convolution, norm, head = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Linear(6, 3)
    nn.init.normal_(norm.running_mean)

    def in_place(x):
        return head(norm(convolution(x).add_(1.0)).relu().mean((2, 3)))

    def copying(x):
        return head(norm(convolution(x) + 1.0).relu().mean((2, 3)))

    norm.eval()
    maps = [LRP().attribute(f, images, targets, context).values for f in (in_place, copying)]
    torch.testing.assert_close(*maps)


def test_a_shape_that_changes_in_place_has_no_rule():
    x = torch.rand(2, 2, requires_grad=True)
    with pytest.raises(NoRuleError, match="changes a shape in place"):
        run_under(Rules({}, own_rule), lambda y: torch.add(y, y, out=torch.empty(0)), x)
