"""A data set and a network so small that a training takes a fraction of a second."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cellxai.classifier.backbone import Backbone, FeatureNetwork, SizedBackbone
from cellxai.classifier.module import ModelSettings
from cellxai.classifier.optimiser import OptimiserSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.folder import ImageFolder
from cellxai.training.settings import TrainingSettings

SIDE = 32


@dataclass(frozen=True)
class SmallBackbone(Backbone):
    """A convolution with everything that has a state: weights, running means, dropout behind it."""

    width: int = 6

    def build(self, load_weights: bool) -> FeatureNetwork:
        layers = nn.Sequential(
            nn.Conv2d(3, self.width, 5, stride=4),
            nn.BatchNorm2d(self.width),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        return FeatureNetwork(layers, self.width)


@dataclass(frozen=True)
class SmallSizedBackbone(SizedBackbone):
    """The same network, which names the size of its images."""

    def build(self, load_weights: bool) -> FeatureNetwork:
        return SmallBackbone().build(load_weights)

    def image_size(self) -> tuple[int, int]:
        return 24, 20


@pytest.fixture
def cells(tmp_path) -> Path:
    """Two classes of 12 images: noise, of which one class is a little brighter."""
    random = np.random.default_rng(0)
    for label, level in (("bright", 140), ("dark", 110)):
        (tmp_path / "cells" / label).mkdir(parents=True)
        for i in range(12):
            pixels = random.normal(level, 40, (SIDE, SIDE)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "cells" / label / f"{i:02}.png")
    return tmp_path / "cells"


@pytest.fixture
def settings(cells) -> Callable[..., dict[str, Any]]:
    """Arguments of ``fit`` for the cells; options go to :class:`TrainingSettings`."""

    def make(**training: Any) -> dict[str, Any]:
        # A rate this high reaches plateaus within the few epochs.
        plateau = OptimiserSettings(learning_rate=0.05, plateau_factor=0.5, plateau_patience=0)
        defaults = {"epochs": 4, "batch_size": 4, "device": "cpu", "optimiser": plateau}
        return {
            "data": ImageFolder(cells),
            "transforms": Transforms(image_size=(SIDE, SIDE)),
            "model": ModelSettings(SmallBackbone()),
            "training": TrainingSettings(**(defaults | training)),
        }

    return make


@pytest.fixture
def weights() -> Callable[[Path], dict[str, torch.Tensor]]:
    """Every tensor of a checkpoint's network."""
    return lambda path: torch.load(path, weights_only=True)["state_dict"]
