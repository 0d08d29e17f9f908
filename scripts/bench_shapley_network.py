"""The network of ``bench_shapley.py``: so small that a long run of coalitions takes seconds."""

from itertools import pairwise
from pathlib import Path

from torch import nn

from cellxai.api import evaluate, fit
from cellxai.classifier.backbone import Backbone, FeatureNetwork
from cellxai.classifier.module import HeadSettings, ModelSettings
from cellxai.classifier.optimiser import OptimiserSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.splits import SplitSettings
from cellxai.training.settings import TrainingSettings

WIDTHS = (3, 16, 32, 64, 128)


class SmallBackbone(Backbone):
    """Four convolutions with stride, some 100 000 weights."""

    def build(self, load_weights: bool) -> FeatureNetwork:
        """See :meth:`Backbone.build`; there are no weights to load."""
        blocks = [
            block(*widths, side=5 if i == 0 else 3, stride=4 if i == 0 else 2)
            for i, widths in enumerate(pairwise(WIDTHS))
        ]
        network = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return FeatureNetwork(network, WIDTHS[-1])


def block(n_in: int, n_out: int, side: int, stride: int) -> nn.Sequential:
    """A convolution with stride, its normalisation and activation."""
    convolution = nn.Conv2d(n_in, n_out, side, stride, side // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(n_out), nn.SiLU())


def train(data: Path, run: Path, epochs: int) -> None:
    """Trains the network on synthetic cells and prints how well it tells them apart."""
    fit(
        Sartorius(data),
        run,
        SplitSettings(validation_share=0.1, test_share=0.1),
        Transforms(image_size=(128, 128), brightness=0.05),
        ModelSettings(SmallBackbone(), HeadSettings(hidden=64, dropout=0.1)),
        TrainingSettings(epochs, optimiser=OptimiserSettings(learning_rate=3e-3)),
    )
    print(evaluate(run))
