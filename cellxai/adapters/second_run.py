"""Other runs in a benchmark: their classifier as a second model, their density as a judge."""

from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.adapters.familiarity import ImageDensity, image_density
from cellxai.explain.base import Model
from cellxai.explain.metrics.base import Density, ModelSource
from cellxai.trained.run import load_run


class RunModel(ModelSource):
    """The classifier of a run folder, read once.

    Args:
        run: The run folder of `cellxai fit`; its classes must be the same.
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
    """The density that `cellxai density` fitted to a run, read once.

    Args:
        run: The run folder.
    """

    def __init__(self, run: Path) -> None:
        self.run = run

    def log_density(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """Log p-value of the views that decide whether an image is known, in nats.

        Raises:
            FileNotFoundError: If the run has no density yet.
        """
        with torch.no_grad():
            return self._log_density(images)

    @cached_property
    def _log_density(self) -> ImageDensity:
        return image_density(self.run, load_run(self.run, "cpu").classifier)
