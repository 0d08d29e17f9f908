"""Other runs in a benchmark: their classifier as a second model, their density as a judge."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor

from cellxai.explain.base import Model
from cellxai.explain.metrics.base import Density, ModelSource
from cellxai.runfolder import RunFolder
from cellxai.training.trained import load_run
from gmm.persistence import load as load_mixture


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
    def _log_density(self) -> Callable[[Float[Tensor, "b c h w"]], Float[Tensor, " b"]]:
        folder = RunFolder(self.run).density
        if not (folder / "projection.safetensors").is_file():
            raise FileNotFoundError(
                f"{folder} holds no density of this run; run `cellxai density --run {self.run}`"
            )
        projection = load_file(folder / "projection.safetensors")
        mixture = load_mixture(folder / "mixture.safetensors")
        classifier = load_run(self.run, "cpu").classifier

        def log_density(images: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
            features = classifier.to(images.device).features(images).double().cpu()
            points = (features - projection["mean"]) @ projection["axes"].T
            return mixture.score_samples(points).to(images.device)

        return log_density
