"""Tiny networks whose explanations are known or computed in a moment."""

import pytest
import torch
from torch import Tensor, nn

from cellxai.explain.base import Context


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
