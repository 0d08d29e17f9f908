"""Tiny networks whose explanations are known or computed in a moment."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cellxai.explain.base import Context, Explainer


class LinearInSuperpixels(nn.Module):
    """Target logit k is the sum over superpixels of weight[k, s] × mean brightness."""

    def __init__(self, labels: Tensor, weights: Tensor) -> None:
        super().__init__()
        shares = nn.functional.one_hot(labels.flatten()).T.double()
        self.register_buffer("shares", shares / shares.sum(1, keepdim=True))
        self.weights = nn.Parameter(weights.double())

    def forward(self, images: Tensor) -> Tensor:
        means = images.double().mean(1).flatten(1) @ self.shares.T
        return means @ self.weights.T


@pytest.fixture
def linear(quarters: Tensor) -> LinearInSuperpixels:
    """3 classes, linear in the mean brightness of the four quarters."""
    weights = torch.randn(3, 4, generator=torch.Generator().manual_seed(3))
    return LinearInSuperpixels(quarters, 4 * weights)


@pytest.fixture
def contributions(linear: nn.Module, images: Tensor, targets: Tensor, quarters: Tensor) -> Tensor:
    """What each quarter [b s] adds to the linear target logit, against a baseline of 0.5."""
    means = images.double().mean(1).flatten(1) @ linear.shares.T
    return (linear.weights[targets] * (means - 0.5)).detach()


@pytest.fixture
def net() -> nn.Module:
    """A smooth convolutional net on RGB images, in evaluation mode, with 3 classes."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.SiLU(),
        nn.Conv2d(6, 8, 3, padding=1, stride=2),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(8, 8, 1),  # like the gate of squeeze-and-excite: a convolution without places
        nn.Flatten(),
        nn.Linear(8, 3),
    ).eval()


@pytest.fixture
def relu_net() -> nn.Module:
    """A network that Captum is right about: every activation a ReLU layer of its own."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 64, 3),
    ).eval()


class GatedBlock(nn.Module):
    """What EfficientNetV2 is made of: asymmetric padding, BatchNorm, SiLU, gate and residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3)
        self.norm = nn.BatchNorm2d(width)
        self.squeeze, self.excite = nn.Conv2d(width, 2, 1), nn.Conv2d(2, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        padded = nn.functional.pad(x, (0, 2, 0, 2))
        y = nn.functional.silu(self.norm(self.convolution(padded)), inplace=True)
        gate = self.excite(nn.functional.silu(self.squeeze(y.mean((2, 3), keepdim=True)))).sigmoid()
        y = y * gate
        y += x
        return y


@pytest.fixture
def gated_net() -> nn.Module:
    """An EfficientNetV2 in miniature, with statistics as after training."""
    torch.manual_seed(2)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2),
        GatedBlock(6),
        GatedBlock(6),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    ).eval()
    for norm in (block.norm for block in net.modules() if isinstance(block, GatedBlock)):
        nn.init.uniform_(norm.running_var, 0.5, 2)
        nn.init.normal_(norm.running_mean)
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.normal_(norm.bias)
    return net


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def targets() -> Tensor:
    return torch.tensor([0, 2, 1])


@pytest.fixture
def quarters() -> Tensor:
    """Labels of one 16×16 image in four squares."""
    place = torch.arange(16) // 8
    return place[:, None] * 2 + place


@pytest.fixture
def context(images: Tensor, quarters: Tensor) -> Context:
    return Context(quarters.expand(3, -1, -1), torch.full_like(images, 0.5), seed=7, batch_size=4)


@pytest.fixture
def maps_alone(images: Tensor, targets: Tensor, context: Context) -> Callable[..., Tensor]:
    """Explainer and network to the maps [b h w] of the images, each explained alone."""

    def explain(explainer: Explainer, network: nn.Module, batch_size: int = 32) -> Tensor:
        maps = []
        for rows in torch.arange(len(images)).split(1):
            alone = Context(context.superpixels[rows], context.baseline[rows], 7, batch_size)
            maps.append(explainer.attribute(network, images[rows], targets[rows], alone).values)
        return torch.cat(maps)

    return explain
