"""Small models of many kinds, as users have them."""

import torch
from torch import Tensor, nn


def cnn(planes: int = 3, classes: int = 4) -> nn.Sequential:
    """A network of every layer that has a mode or a buffer, with random weights."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(planes, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
        nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(32, classes),
    )  # fmt: skip


class Answering(nn.Module):
    """A network whose answer is made into something else."""

    def __init__(self, body: nn.Module, make) -> None:
        super().__init__()
        self.body, self.make = body, make

    def forward(self, images: Tensor):
        return self.make(self.body(images))
