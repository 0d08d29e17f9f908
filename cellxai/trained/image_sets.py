"""Sets of images with their features: the parts of a run, and other data sets beside them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from cellxai.data.corruption import Corruption
from cellxai.data.loading.datamodule import CellImages, to_batch
from cellxai.data.pixels.corruptions import corrupt_records
from cellxai.data.records import Fault, Record, Source
from cellxai.explain.precision import float32_products
from cellxai.figures.planes import as_picture
from cellxai.files.folder import RunFolder
from cellxai.trained.rows import HeldRows, JoinedRows, Rows, RowSource, SomeRows
from cellxai.trained.run import TrainedRun

BATCH_SIZE = 32
CPU = torch.device("cpu")
HELD_BYTES = 2**28  # of what views see of a set; more of it is looked at anew when it is needed


@dataclass(frozen=True)
class Outputs:
    """What is computed of images, a row each.

    Args:
        logits: ``None`` without a classifier.
        features: Penultimate features, or raw pixels.
        rows: What views see of them.
    """

    logits: Float[Tensor, "n k"] | None
    features: Float[Tensor, "n f"]
    rows: RowSource = field(default_factory=lambda: HeldRows({}))


Look = Callable[[Float[Tensor, "b p h w"]], Outputs]


@dataclass(frozen=True)
class ImageSet:
    """Images that are scored together.

    Args:
        records: The images.
        pictures: Their pixels, prepared.
        features: Penultimate features or raw pixels, in float64.
        logits: What the classifier says of them, in float64; ``None`` without a classifier.
        faults: What could not be read and was left out.
        rows: What views see of them, in float32.
        plane_names: Of the planes of their pixels; none of grey and RGB.
    """

    records: tuple[Record, ...]
    pictures: UInt8[Tensor, "n p h w"]
    features: Float[Tensor, "n f"]
    logits: Float[Tensor, "n k"] | None
    faults: tuple[Fault, ...] = ()
    rows: RowSource = field(default_factory=lambda: HeldRows({}))
    plane_names: tuple[str, ...] = ()

    def some(self, places: Int[Tensor, " m"]) -> "ImageSet":
        """Some of the images, in the order given."""
        return replace(
            self,
            records=tuple(self.records[int(place)] for place in places),
            pictures=self.pictures[places],
            features=self.features[places],
            logits=None if self.logits is None else self.logits[places],
            rows=SomeRows(self.rows, places),
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
        JoinedRows([images.rows for images in sets]),
        sets[0].plane_names,
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
        """What is computed of a part of any prepared images."""

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
        outputs = self.outputs(images, part)
        return ImageSet(
            images.records(part),
            images.images(part),
            outputs.features.double(),
            None if outputs.logits is None else outputs.logits.double(),
            tuple(faults),
            outputs.rows,
            images.transforms.plane_names,
        )


class NetworkFeatures(FeatureSource):
    """Penultimate features and logits of a trained run, and what views see of its network.

    Args:
        trained: The run.
        look: What views see of a batch, with features and logits; ``None`` for these two alone.
    """

    def __init__(self, trained: TrainedRun, look: Look | None = None) -> None:
        super().__init__(trained.folder, trained.images)
        self.trained = trained
        self.look = look
        self.unseen = has_untrained_features(trained)

    def outputs(self, images: CellImages, part: str) -> Outputs:
        """See :meth:`FeatureSource.outputs`."""
        if self.look is not None:
            return look_at_all(
                self.look, images.images(part), self.trained.device, images.transforms.n_inputs
            )
        own = images is self.images
        return Outputs(
            *(self.trained.outputs(part) if own else self.trained.outputs_of(images, part))
        )


def has_untrained_features(trained: TrainedRun) -> bool:
    """Whether the training changed the last layer alone, so that features are what they were."""
    frozen = (trained.folder.checkpoints / "backbone.ckpt").exists()
    return frozen and not any(True for _ in trained.classifier.head[:-1].parameters())


class PixelFeatures(FeatureSource):
    """The pixels of prepared images in [0, 1], in the order of their planes and rows.

    Args:
        folder: Where results go.
        images: The known images, in parts.
        look: What views see of a batch; ``None`` for the pixels alone.
    """

    def __init__(self, folder: RunFolder, images: CellImages, look: Look | None = None) -> None:
        super().__init__(folder, images)
        self.look = look

    def outputs(self, images: CellImages, part: str) -> Outputs:
        """See :meth:`FeatureSource.outputs`."""
        pixels = images.images(part)
        features = pixels.flatten(1).double() / 255
        if self.look is None:
            return Outputs(None, features)
        outputs = look_at_all(self.look, pixels, CPU, images.transforms.n_inputs)
        return replace(outputs, features=features)


@torch.inference_mode()
@float32_products("exact")
def look_at_all(
    look: Look, pixels: UInt8[Tensor, "n p h w"], device: torch.device, n_inputs: int = 3
) -> Outputs:
    """What is computed of prepared images, a batch at a time, on the CPU."""
    logits, features, rows, n_bytes = [], [], [], 0
    for batch in pixels.split(BATCH_SIZE) if len(pixels) else ():
        part = look(to_batch(batch.to(device), n_inputs))
        features.append(part.features.cpu())
        if part.logits is not None:
            logits.append(part.logits.cpu())
        n_bytes += part.rows.n_bytes if isinstance(part.rows, HeldRows) else 0
        rows = [*rows, part.rows] if n_bytes <= HELD_BYTES else []
    return Outputs(
        torch.cat(logits) if logits else None,
        torch.cat(features) if features else torch.empty(0, 0),
        JoinedRows(rows) if n_bytes <= HELD_BYTES else LookedRows(look, pixels, device, n_inputs),
    )


class LookedRows(RowSource):
    """What views see of prepared images, looked at anew each time: a forward pass, and no memory.

    Args:
        look: What views see of a batch.
        pixels: The images.
        device: Where to look at them.
        n_inputs: Planes that the network takes.
    """

    def __init__(
        self,
        look: Look,
        pixels: UInt8[Tensor, "n p h w"],
        device: torch.device,
        n_inputs: int = 3,
    ) -> None:
        self.look = look
        self.pixels = pixels
        self.device = device
        self.n_inputs = n_inputs

    def __len__(self) -> int:
        return len(self.pixels)

    @torch.inference_mode()
    @float32_products("exact")
    def of(self, images: Int[Tensor, " m"]) -> Rows:
        """See :meth:`RowSource.of`."""
        parts = [
            self.look(to_batch(self.pixels[batch].to(self.device), self.n_inputs)).rows
            for batch in images.split(BATCH_SIZE)
        ]
        return JoinedRows(parts).of(torch.arange(len(images)))


def to_picture(planes: UInt8[Tensor, "p h w"], names: Sequence[str] = ()) -> np.ndarray:
    """[p h w] as [h w] if grey and [h w 3] otherwise, a composite where planes have names."""
    return as_picture(planes.permute(1, 2, 0).numpy(), names)
