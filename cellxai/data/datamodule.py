"""All images of a split in memory, and the batches that training and everything else see."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import lightning as L
import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from cellxai.data.images import ImageFault, read_image
from cellxai.data.records import Fault, Record
from cellxai.data.sampling import AugmentedImages, EpochSampler, ResumableLoader
from cellxai.data.splits import PARTS
from cellxai.data.transforms import Transforms
from cellxai.progress import progress

Batch = tuple[Float[Tensor, "b 3 h w"], Int64[Tensor, " b"]]
MANY_IMAGES = 500  # more than a few seconds of reading: show how far it is


class CellImages(L.LightningDataModule):
    """The images of a data set, each decoded and prepared once, when its part is first used.

    Prepared images are kept as 8-bit pixels: 600 grey ones of 224×224 are 30 MB. The loaders run in
    the training process (``num_workers=0``), as workers would have no file left to decode.

    Args:
        records: The images.
        parts: ``train``, ``validation`` or ``test`` by id; images without a part are not read.
        classes: Names of the classes in the order of the logits.
        transforms: How a file's pixels become what the network sees.
        batch_size: Images in a batch.
        seed: Order and augmentation depend on it, on the epoch and on the image's place alone.

    Raises:
        ValueError: If a label is not among the classes, or a part is unknown.
    """

    def __init__(
        self,
        records: Sequence[Record],
        parts: Mapping[str, str],
        classes: Sequence[str],
        transforms: Transforms,
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_known("labels", {record.label for record in records}, classes)
        check_known("parts", set(parts.values()), PARTS)
        self.all_records = tuple(records)
        self.parts = dict(parts)
        self.classes = tuple(classes)
        self.transforms = transforms
        self.batch_size = batch_size
        self.seed = seed
        self._prepared: dict[str, Prepared] = {}

    def setup(self, stage: str | None = None) -> None:
        """Reads the images of every part that is not in memory yet.

        Raises:
            ValueError: If no image at all can be read.
        """
        check_any_readable([self._part(part) for part in PARTS])

    def _part(self, part: str) -> "Prepared":
        check_known("part", {part}, PARTS)
        if part not in self._prepared:
            wanted = [record for record in self.all_records if self.parts.get(record.id) == part]
            self._prepared[part] = read_all(wanted, self.transforms)
        return self._prepared[part]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The images of all parts that could not be read and were left out, and why."""
        self.setup()
        return tuple(fault for part in PARTS for fault in self._part(part).faults)

    def records(self, part: str) -> tuple[Record, ...]:
        """The readable images of a part, in the order of :meth:`images` and :meth:`labels`."""
        return self._part(part).records

    def images(self, part: str) -> UInt8[Tensor, "n c h w"]:
        """The prepared images of a part, 0…255: one plane if grey, three if RGB."""
        return self._part(part).images

    def labels(self, part: str) -> Int64[Tensor, " n"]:
        """The index in ``classes`` of each image of a part."""
        labels = [self.classes.index(record.label) for record in self.records(part)]
        return torch.tensor(labels, dtype=torch.int64)

    def tensor_batches(self, part: str, batch_size: int | None = None) -> Iterator[Batch]:
        """The images of a part in [0, 1] and their labels, in order and not augmented."""
        size = self.batch_size if batch_size is None else batch_size
        images, labels = self.images(part), self.labels(part)
        for start in range(0, len(labels), size):
            yield to_batch(images[start : start + size]), labels[start : start + size]

    def train_dataloader(self) -> DataLoader:
        """Augmented batches; a run that resumes within an epoch goes on with the next image."""
        images, labels = self.images("train"), self.labels("train")
        if not len(labels):
            raise ValueError("no image to train on, expected at least one in part 'train'")
        dataset = AugmentedImages(images, labels, self.transforms, self.seed)
        sampler = EpochSampler(len(labels), self.seed, self._images_seen)
        return ResumableLoader(dataset, batch_size=self.batch_size, sampler=sampler, num_workers=0)

    def val_dataloader(self) -> DataLoader:
        """The batches of ``validation``, in order and not augmented."""
        return self._plain_loader("validation")

    def test_dataloader(self) -> DataLoader:
        """The batches of ``test``, in order and not augmented."""
        return self._plain_loader("test")

    def _plain_loader(self, part: str) -> DataLoader:
        dataset = TensorDataset(self.images(part), self.labels(part))
        return DataLoader(dataset, self.batch_size, num_workers=0, collate_fn=collate_plain)

    def _images_seen(self) -> int:
        """Images of the current epoch that a trainer has used already."""
        if self.trainer is None or not self.trainer.training:
            return 0
        return self.trainer.fit_loop.epoch_loop.batch_progress.current.ready * self.batch_size


@dataclass(frozen=True)
class Prepared:
    """The prepared images of a part, their records, and the files that could not be read."""

    records: tuple[Record, ...]
    images: UInt8[Tensor, "n c h w"]
    faults: tuple[Fault, ...]


def read_all(records: Sequence[Record], transforms: Transforms) -> Prepared:
    """Decodes and prepares the images in threads; a broken file costs itself and no other."""
    with ThreadPoolExecutor() as threads:
        results = threads.map(lambda record: read_prepared(record, transforms), records)
        found = list(progress(results, "reading images", len(records), MANY_IMAGES))
    pairs = [
        (record, image)
        for record, image in zip(records, found, strict=True)
        if not isinstance(image, Fault)
    ]
    return Prepared(
        tuple(record for record, _ in pairs),
        stack([image for _, image in pairs], transforms),
        tuple(result for result in found if isinstance(result, Fault)),
    )


def check_any_readable(found: Sequence[Prepared]) -> None:
    """Raises ``ValueError`` with the first fault where not one image could be read."""
    if not any(one.records for one in found):
        faults = [fault for one in found for fault in one.faults]
        first = f", the first: {faults[0]}" if faults else ""
        raise ValueError(f"none of {len(faults)} images can be read{first}")


def read_prepared(record: Record, transforms: Transforms) -> UInt8[np.ndarray, "h w c"] | Fault:
    """What the network sees of one image, or why it sees nothing."""
    try:
        return transforms.prepare(read_image(record.path))
    except ImageFault as fault:
        return Fault(f"image {record.id}", str(fault))


def stack(
    images: Sequence[UInt8[np.ndarray, "h w c"]], transforms: Transforms
) -> UInt8[Tensor, "n c h w"]:
    """One tensor of all images, channels first; of length 0 where there are none."""
    if not images:
        n_planes = 1 if transforms.colour == "grey" else 3
        return torch.empty(0, n_planes, *transforms.image_size, dtype=torch.uint8)
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


def to_batch(images: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n 3 h w"]:
    """Prepared images as the network takes them: in [0, 1], a grey plane repeated."""
    return images.float().div(255).expand(-1, 3, -1, -1)


def collate_plain(pairs: Sequence[tuple[UInt8[Tensor, "c h w"], Int64[Tensor, ""]]]) -> Batch:
    """A batch of images that are not augmented."""
    images, labels = zip(*pairs, strict=True)
    return to_batch(torch.stack(images)), torch.stack(labels)


def check_known(what: str, found: set[str], expected: Sequence[str]) -> None:
    """Refuses names that are not among those expected.

    Raises:
        ValueError: Naming the unknown ones.
    """
    unknown = sorted(found - set(expected))
    if unknown:
        raise ValueError(f"{what} {', '.join(unknown)}, expected {', '.join(expected)}")
