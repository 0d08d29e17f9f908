import torch
from torch import nn

from cellxai.explain.backward.lrp import LRP


def test_batch_norm_after_a_convolution_is_folded_into_it(images, targets, context):
    torch.manual_seed(0)
    convolution, norm = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3).eval()
    nn.init.uniform_(norm.running_var, 0.5, 2)
    nn.init.normal_(norm.bias)
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    merged = nn.Conv2d(3, 3, 3)
    merged.weight.data = convolution.weight * scale[:, None, None, None]
    merged.bias.data = (convolution.bias - norm.running_mean) * scale + norm.bias
    tail = [nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    models = nn.Sequential(convolution, norm, *tail), nn.Sequential(merged, *tail)
    values = [LRP().attribute(m.eval(), images, targets, context).values for m in models]
    torch.testing.assert_close(*values, rtol=1e-4, atol=1e-7)


def test_a_gate_counts_as_a_constant(images, targets, context):
    """Relevance of x·sigmoid(g) goes to x, pixel by pixel; g, made of another channel, has none."""

    def model(x):
        gate = x.mean((2, 3), keepdim=True)[:, :1].sigmoid()
        return (x[:, 1:] * gate).flatten(1)[:, :3]

    values = LRP().attribute(model, images, targets, context).values.flatten(1)
    with torch.no_grad():
        scores = model(images).gather(1, targets[:, None])[:, 0]
    expected = torch.zeros_like(values).scatter(1, targets[:, None], scores[:, None])
    torch.testing.assert_close(values, expected)
