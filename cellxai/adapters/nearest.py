"""A baseline from the data: the image of a run that looks most similar to its network."""

from functools import cached_property
from pathlib import Path

from jaxtyping import Float, Int, UInt8
from torch import Tensor

from cellxai.data.loading.datamodule import to_batch
from cellxai.data.records import Source
from cellxai.explain.baselines import Baseline, NearestBaseline
from cellxai.trained.image_sets import NetworkFeatures
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import Device


class NearestInRun(Baseline):
    """The training image with the features nearest to the explained one's, never that image itself.

    The network knows such images, so that no part is hidden by something foreign to the data.

    Args:
        run: The run folder of `cellxai fit`, whose network measures what is near.
        source: Other images to choose from, such as cells without the drug. They are prepared like
            the run's own, and broken ones are left out. Null for the images that the run was
            trained on.
    """

    def __init__(self, run: Path, source: Source | None = None) -> None:
        self.run = run
        self.source = source

    def fill(
        self, images: Float[Tensor, "b c h w"], superpixels: Int[Tensor, "b h w"]
    ) -> Float[Tensor, "b c h w"]:
        """See :meth:`Baseline.fill`.

        Raises:
            ValueError: If there is no other image to choose from, or images are of another size
                than the run's.
        """
        kind: Device = "cpu" if images.device.type == "cpu" else "cuda"
        if kind not in self._by_device:
            self._by_device[kind] = self._nearest(kind)
        return self._by_device[kind].fill(images, superpixels)

    @cached_property
    def _by_device(self) -> dict[Device, NearestBaseline]:
        return {}

    def _nearest(self, device: Device) -> NearestBaseline:
        """Computed where the explained images are, which is where the user said."""
        trained = load_run(self.run, device)
        return NearestBaseline(
            to_batch(self._bank(trained), trained.transforms.n_inputs),
            lambda images: trained.classifier.features(images.to(trained.device)),
        )

    def _bank(self, trained: TrainedRun) -> UInt8[Tensor, "n p h w"]:
        if self.source is None:
            return trained.images.images("train")
        return NetworkFeatures(trained).other("baseline", self.source).pictures
