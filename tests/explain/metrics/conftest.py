"""What Quantus 0.6 answers on toy inputs; see ``reference_by_quantus.py``."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from cellxai.explain.base import Attribution, Case, Context
from cellxai.explain.superpixels.methods import Grid


@pytest.fixture(scope="session")
def quantus():
    """The toy as tensors, and ``said``: the answers by name. Hidden pixels are black."""
    stored = json.loads(Path(__file__).with_name("quantus_0_6.json").read_text())
    toy = stored["toy"]
    images = torch.tensor(toy["images"])
    conv, head = nn.Conv2d(1, 3, 3), nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor(toy["conv"]))
        conv.bias.copy_(torch.tensor(toy["bias"]))
        head.weight.copy_(torch.tensor(toy["head"]))
    net = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()
    context = Context(Grid(size_px=1).segment(images), torch.zeros_like(images))
    targets, truth = torch.tensor(toy["targets"]), {"cells": torch.tensor(toy["region"])[:, 0] > 0}
    return SimpleNamespace(
        images=images,
        attribution=Attribution(torch.tensor(toy["maps"])[:, 0]),
        truth=truth,
        subsets=torch.tensor(toy["subsets"]).view(-1, 2, len(toy["subsets"][0])).movedim(1, 0),
        context=context,
        case=Case(net, images, targets, context, truth),
        said=stored["quantus"],
    )


@pytest.fixture
def values() -> Tensor:
    """Maps of the three images."""
    return torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(5))
