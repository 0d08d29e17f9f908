import pytest
import torch
from captum import attr
from torch import nn
from torch.nn import functional as F

from cellxai.explain.backward.deeplift import DeepLift


def test_a_maximum_keeps_it_complete_where_captum_is_not(relu_net, images, targets, context):
    total = change(relu_net, images, targets, context)
    raw = attr.DeepLift(relu_net).attribute(images, context.baseline, targets)
    values = DeepLift().attribute(relu_net, images, targets, context).values
    torch.testing.assert_close(values.sum((1, 2)), total, rtol=0, atol=1e-6)
    assert (raw.sum((1, 2, 3)) - total).abs().max() > 1e-4


def change(net, images, targets, context):
    with torch.no_grad():
        return (net(images) - net(context.baseline)).gather(1, targets[:, None])[:, 0]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.max_pool2d(x, 3, stride=2, padding=1),  # windows overlap
        lambda x: x.softmax(1),
        lambda x: x.flatten(1).logsumexp(1, keepdim=True).square(),
        lambda x: F.layer_norm(x, x.shape[1:]),
        lambda x: F.layer_norm(x, (16,), torch.arange(16.0), torch.ones(16), 1e-3),
        lambda x: x * x.sigmoid() / (1 + x.exp()),
        lambda x: x.flatten(2) @ x.flatten(2).transpose(1, 2),
        lambda x: F.scaled_dot_product_attention(*[x.flatten(2)] * 3),
        lambda x: F.hardtanh(x - 0.5, 0.0, 0.3, True),
        lambda x: F.pad(x, (1, 2, 0, 1)).mul(3).sub_(x.mean((1, 2, 3), keepdim=True)),
        lambda x: x.std((2, 3)),
    ],
)
def test_every_function_of_torch_keeps_the_map_complete(function, images, targets, context):
    torch.manual_seed(0)
    width = function(images).flatten(1).shape[1]
    head = nn.Linear(width, 3)

    def model(x):
        return head(function(x).flatten(1)).tanh()

    values = DeepLift().attribute(model, images, targets, context).values
    total = change(model, images, targets, context)
    torch.testing.assert_close(values.sum((1, 2)), total, rtol=1e-3, atol=1e-5)


def test_a_gate_is_shared_as_the_product_rule_says(images, targets, context):
    """Δ(ab) = Δa·(b + b₀)/2 + Δb·(a + a₀)/2 with a the left half and b the right, by hand."""

    def model(x):
        return (x[..., :8] * x[..., 8:]).sum((2, 3))

    values = DeepLift().attribute(model, images, targets, context).values
    rows = torch.arange(3)
    x, x0 = images[rows, targets], context.baseline[rows, targets]
    partner = torch.cat([(x + x0)[..., 8:], (x + x0)[..., :8]], -1) / 2
    torch.testing.assert_close(values, (x - x0) * partner)
