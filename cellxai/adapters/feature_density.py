"""The density of a run's features, read back: a function of features, or of images."""

from collections.abc import Callable
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from cellxai.classifier.module import CellClassifier
from cellxai.density.pipeline import PIPELINE_FILE, DensityPipeline
from cellxai.files.folder import RunFolder
from cellxai.files.identity import hash_file, shorten
from cellxai.trained.layers import LayerFeatures

ImageDensity = Callable[[Float[Tensor, "b c h w"]], Float[Tensor, " b"]]


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
        """Log density in nats, computed in float64 on the CPU; differentiable."""
        return self.pipeline.score_samples(features.double().cpu()).to(features)

    def network(self, classifier: CellClassifier) -> LayerFeatures:
        """The classifier up to the layer whose features the density is of."""
        return LayerFeatures(classifier, self.pipeline.settings.layer)

    def of_images(self, classifier: CellClassifier) -> ImageDensity:
        """A function of images to log densities in nats, on the device of the images."""
        network = self.network(classifier)
        return lambda images: self(network.to(images.device)(images))

    def __repr__(self) -> str:
        # Results are stored with this text, so that another mixture's are not mistaken for them.
        return f"FeatureDensity({self._content})"
