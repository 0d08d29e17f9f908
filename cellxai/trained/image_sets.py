"""Sets of images with their features: the parts of a run, and other data sets beside them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from cellxai.classifier.layer_names import PENULTIMATE
from cellxai.data.corruption import Corruption
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.pixels.corruptions import corrupt_records
from cellxai.data.records import Fault, Record, Source
from cellxai.files.folder import RunFolder
from cellxai.trained.layers import LayerFeatures
from cellxai.trained.run import TrainedRun

Outputs = tuple[Float[Tensor, "n k"] | None, Float[Tensor, "n f"]]


@dataclass(frozen=True)
class ImageSet:
    """Images that are scored together.

    Args:
        records: The images.
        pictures: Their pixels, prepared.
        features: In float64, where PCA and mixture are computed.
        logits: What the classifier says of them, in float64; ``None`` without a classifier.
        faults: What could not be read and was left out.
    """

    records: tuple[Record, ...]
    pictures: UInt8[Tensor, "n c h w"]
    features: Float[Tensor, "n f"]
    logits: Float[Tensor, "n k"] | None
    faults: tuple[Fault, ...] = ()

    def rows(self, places: Int[Tensor, " m"]) -> "ImageSet":
        """Some of the images, in the order given."""
        return replace(
            self,
            records=tuple(self.records[int(place)] for place in places),
            pictures=self.pictures[places],
            features=self.features[places],
            logits=None if self.logits is None else self.logits[places],
        )


def join_sets(sets: Sequence[ImageSet]) -> ImageSet:
    """The images of several sets, one after another."""
    logits = [images.logits for images in sets if images.logits is not None]
    return ImageSet(
        tuple(record for images in sets for record in images.records),
        torch.cat([images.pictures for images in sets]),
        torch.cat([images.features for images in sets]),
        torch.cat(logits) if logits else None,
        tuple(fault for images in sets for fault in images.faults),
    )


class FeatureSource(ABC):
    """What turns images into features: a classifier, or nothing at all.

    Args:
        folder: Where results go.
        images: The known images, in parts.
    """

    unseen: bool = True
    """Whether no feature depends on what any image was trained for."""

    def __init__(self, folder: RunFolder, images: CellImages) -> None:
        self.folder = folder
        self.images = images

    @abstractmethod
    def outputs(self, images: CellImages, part: str) -> Outputs:
        """Logits, if there is a classifier, and features of a part of any prepared images."""

    def part(self, part: str) -> ImageSet:
        """The known images of a part."""
        return self._set(self.images, part, ())

    def other(self, name: str, source: Source) -> ImageSet:
        """Another data set, prepared as the known images; broken ones are left out.

        Raises:
            ValueError: If none of them can be read; names the set.
        """
        scan = source.scan()
        return self._other(f"unfamiliar={name!r}", scan.records, scan.faults)

    def corrupted(
        self, name: str, records: Sequence[Record], corruption: Corruption, seed: int
    ) -> ImageSet:
        """Some records' images, corrupted as they are read.

        Raises:
            ValueError: If none of them can be read; names the corruption.
        """
        return self._other(f"corruptions={name!r}", corrupt_records(records, corruption, seed), ())

    def _other(self, option: str, records: Sequence[Record], faults: Sequence[Fault]) -> ImageSet:
        classes = sorted({record.label for record in records})
        parts = dict.fromkeys((record.id for record in records), "test")
        images = CellImages(
            records, parts, classes, self.images.transforms, self.images.batch_size,
            loading=self.images.loading,
        )  # fmt: skip
        try:
            return self._set(images, "test", (*faults, *images.faults))
        except ValueError as error:
            raise ValueError(f"{option}: {error}") from error

    def _set(self, images: CellImages, part: str, faults: Sequence[Fault]) -> ImageSet:
        logits, features = self.outputs(images, part)
        return ImageSet(
            images.records(part),
            images.images(part),
            features.double(),
            None if logits is None else logits.double(),
            tuple(faults),
        )


class NetworkFeatures(FeatureSource):
    """Features in a layer of a trained run, averaged over places, and logits.

    Args:
        trained: The run.
        layer: The layer.

    Raises:
        ValueError: If there is no such layer.
    """

    def __init__(self, trained: TrainedRun, layer: str = PENULTIMATE) -> None:
        super().__init__(trained.folder, trained.images)
        self.trained = trained
        self.layer = layer
        self.network = LayerFeatures(trained.classifier, layer)
        # Of a frozen backbone without a hidden layer the features are what they were before.
        frozen = (trained.folder.checkpoints / "backbone.ckpt").exists()
        self.unseen = frozen and not any(True for _ in trained.classifier.head[:-1].parameters())

    def outputs(self, images: CellImages, part: str) -> Outputs:
        """See :meth:`FeatureSource.outputs`."""
        own = images is self.images
        outputs = self.trained.outputs(part) if own else self.trained.outputs_of(images, part)
        if self.layer == PENULTIMATE:
            return outputs
        device = self.trained.device
        with torch.inference_mode():
            batches = images.tensor_batches(part)
            features = [self.network(batch.to(device)).cpu() for batch, _ in batches]
        return outputs[0], torch.cat(features)


class PixelFeatures(FeatureSource):
    """The pixels of prepared images in [0, 1], in the order of their planes and rows."""

    def outputs(self, images: CellImages, part: str) -> Outputs:
        """See :meth:`FeatureSource.outputs`."""
        return None, images.images(part).flatten(1).double() / 255


def to_picture(planes: Tensor) -> np.ndarray:
    """[c h w] as [h w] if grey and [h w 3] otherwise."""
    return planes[0].numpy() if len(planes) == 1 else planes.permute(1, 2, 0).numpy()
