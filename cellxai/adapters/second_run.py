"""Other runs in a benchmark: their classifier as a second model, their density as a judge."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.classifier.module import CellClassifier
from cellxai.density.pipeline import PIPELINE_FILE, DensityPipeline
from cellxai.explain.base import Model
from cellxai.explain.metrics.base import Density, ModelSource
from cellxai.files.folder import RunFolder
from cellxai.files.identity import hash_file, shorten
from cellxai.trained.layers import LayerFeatures
from cellxai.trained.run import load_run

OfImages = Callable[[Float[Tensor, "b c h w"]], Float[Tensor, " b"]]


class RunModel(ModelSource):
    """The classifier of a run folder, read once.

    Args:
        run: The run folder of `cellxai fit`; of the same classes.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self._loaded: Model | None = None

    def load(self, device: torch.device) -> Model:
        """See :meth:`ModelSource.load`."""
        if self._loaded is None:
            self._loaded = load_run(self.run, "cpu").classifier.to(device)
        return self._loaded


class RunDensity(Density):
    """The mixture that `cellxai density` fitted to a run's features, read once.

    Args:
        run: The run folder.
    """

    def __init__(self, run: Path) -> None:
        self.run = run

    def log_density(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """In nats, of the images' features in the coordinates of the mixture.

        Raises:
            FileNotFoundError: If the run has no density yet.
        """
        with torch.no_grad():
            return self._log_density(images)

    @cached_property
    def _log_density(self) -> OfImages:
        return FeatureDensity(self.run).of_images(load_run(self.run, "cpu").classifier)


class FeatureDensity:
    """The mixture that `cellxai density` fitted, as a function of features.

    Args:
        run: The run folder.

    Raises:
        FileNotFoundError: If the run has no density yet.
    """

    def __init__(self, run: Path) -> None:
        path = RunFolder(run).density / PIPELINE_FILE
        if not path.is_file():
            raise FileNotFoundError(
                f"{path.parent} holds no density of this run; run `cellxai density --run {run}`"
            )
        self.pipeline = DensityPipeline.load(path)
        self._content = shorten(hash_file(path))

    def __call__(self, features: Float[Tensor, "b f"]) -> Float[Tensor, " b"]:
        """In nats, computed in float64 on the CPU; differentiable."""
        return self.pipeline.score_samples(features.double().cpu()).to(features)

    def network(self, classifier: CellClassifier) -> LayerFeatures:
        """The classifier up to the layer that the density is of."""
        return LayerFeatures(classifier, self.pipeline.settings.layer)

    def of_images(self, classifier: CellClassifier) -> OfImages:
        """Images to nats, on the device of the images."""
        network = self.network(classifier)
        return lambda images: self(network.to(images.device)(images))

    def __repr__(self) -> str:
        # Results are stored with it: those of another mixture must not pass for them.
        return f"FeatureDensity({self._content})"
