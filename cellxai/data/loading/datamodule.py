"""All images of a split in memory, and the batches that training and everything else see."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from cellxai.data.loading.prepared import Prepared, check_any_readable, prepare_all
from cellxai.data.loading.sampling import (
    AugmentedImages,
    EpochSampler,
    ResumableLoader,
    epoch_order,
    take_share,
    use_one_thread,
)
from cellxai.data.loading.settings import LoadingSettings
from cellxai.data.pixels.tensor_augment import TensorImages, keep_batch
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Fault, Record
from cellxai.data.splits import PARTS

Batch = tuple[Float[Tensor, "b inputs h w"], Int64[Tensor, " b"]]


class CellImages(L.LightningDataModule):
    """The images of a data set, each decoded and prepared once, when its part is first used.

    Prepared images are kept as 8-bit pixels: 600 grey ones of 224×224 are 30 MB. Loaders decode no
    file.

    Args:
        records: The images.
        parts: ``train``, ``validation`` or ``test`` by id; images without a part are not read.
        classes: Names of the classes in the order of the logits.
        transforms: How a file's pixels become what the network sees.
        batch_size: Images in a batch.
        seed: Order and augmentation depend on it, on the epoch and on the image's place alone.
        loading: How prepared images are kept and brought to the network.

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
        loading: LoadingSettings = LoadingSettings(),
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
        self.loading = loading
        self._prepared: dict[str, Prepared] = {}

    def setup(self, stage: str | None = None) -> None:
        """Reads the images of every part that is not in memory yet.

        Raises:
            ValueError: If no image at all can be read.
        """
        check_any_readable([self._part(part) for part in PARTS])

    def _part(self, part: str) -> Prepared:
        check_known("part", {part}, PARTS)
        if part not in self._prepared:
            wanted = [record for record in self.all_records if self.parts.get(record.id) == part]
            self._prepared[part] = prepare_all(wanted, self.transforms, self.loading.cache)
        return self._prepared[part]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The images of all parts that could not be read and were left out, and why."""
        self.setup()
        return tuple(fault for part in PARTS for fault in self._part(part).faults)

    def records(self, part: str) -> tuple[Record, ...]:
        """The readable images of a part, in the order of :meth:`images` and :meth:`labels`."""
        return self._part(part).records

    def images(self, part: str) -> UInt8[Tensor, "n p h w"]:
        """The prepared images of a part, 0…255: one if grey, three if RGB, else one per name."""
        return self._part(part).images

    def labels(self, part: str) -> Int64[Tensor, " n"]:
        """The index in ``classes`` of each image of a part."""
        labels = [self.classes.index(record.label) for record in self.records(part)]
        return torch.tensor(labels, dtype=torch.int64)

    def tensor_batches(
        self, part: str, batch_size: int | None = None, device: torch.device | None = None
    ) -> Iterator[Batch]:
        """The images of a part in [0, 1] and their labels, in order and not augmented.

        Args:
            part: Its name.
            batch_size: Images of a batch; None for that of training.
            device: Where the images go, as 8-bit pixels: a quarter of the bytes of their floats,
                and a twelfth where a grey plane is repeated. None for the CPU.
        """
        size = self.batch_size if batch_size is None else batch_size
        images, labels = self.images(part), self.labels(part)
        for start in range(0, len(labels), size):
            pixels = images[start : start + size]
            pixels = pixels if device is None else pixels.to(device)
            yield to_batch(pixels, self.transforms.n_inputs), labels[start : start + size]

    def train_order(self, epoch: int) -> Int64[np.ndarray, " m"]:
        """Indices of the training images in the order in which this process takes them."""
        labels = self.labels("train").numpy()
        whole = epoch_order(labels, self.loading.order, self.seed, epoch)
        return take_share(whole, *self._place())

    def train_ids(self, epoch: int, batch: int) -> list[str]:
        """Ids of the images that this process takes in a batch of an epoch."""
        size = self._share_of_batch()
        taken = self.train_order(epoch)[batch * size : (batch + 1) * size]
        return [self.records("train")[index].id for index in taken]

    def train_dataloader(self) -> DataLoader:
        """Augmented batches; a run that resumes within an epoch goes on with the next image."""
        on_device = self.loading.pipeline == "tensor"
        return ResumableLoader(
            self._training_set(TensorImages if on_device else AugmentedImages),
            batch_size=self._share_of_batch(),
            collate_fn=keep_batch if on_device else collate_augmented,
            sampler=EpochSampler(self.train_order, self._images_seen),
            num_workers=self.loading.workers,
            persistent_workers=self.loading.workers > 0,
            worker_init_fn=use_one_thread,
        )

    def _training_set(self, kind: type[TensorImages] | type[AugmentedImages]) -> Dataset:
        images, labels = self.images("train"), self.labels("train")
        if not len(labels):
            raise ValueError("part 'train' has 0 images, expected at least one to train on")
        if kind is TensorImages and self.trainer is not None:
            device = self.trainer.strategy.root_device
            images, labels = images.to(device), labels.to(device)
        return kind(images, labels, self.transforms, self.seed)

    def val_dataloader(self) -> DataLoader:
        """The batches of ``validation``, in order and not augmented; of several processes a share.

        The shares are unequal where they do not come out even, and no image is in two of them.
        """
        return self._plain_loader("validation")

    def test_dataloader(self) -> DataLoader:
        """The batches of ``test``, in order and not augmented; of several processes a share."""
        return self._plain_loader("test")

    def _plain_loader(self, part: str) -> DataLoader:
        dataset = TensorDataset(self.images(part), self.labels(part))
        rank, n_processes = self._place()
        mine = range(rank, len(dataset), n_processes)
        collate = partial(collate_plain, n_inputs=self.transforms.n_inputs)
        return DataLoader(
            dataset, self._share_of_batch(), sampler=mine, num_workers=0, collate_fn=collate
        )

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """A batch on the device, of a plane that is repeated one copy; the CPU waits for none."""
        plain = isinstance(batch, list | tuple) and all(isinstance(v, Tensor) for v in batch)
        if device.type != "cuda" or not plain:
            return super().transfer_batch_to_device(batch, device, dataloader_idx)
        return tuple(send(values, device) for values in batch)

    def _place(self) -> tuple[int, int]:
        """Which of how many processes this is."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def _share_of_batch(self) -> int:
        """Images that this process takes in a step."""
        return self.batch_size // self._place()[1]

    def _images_seen(self) -> int:
        """Images of the current epoch that this process has trained on already."""
        if self.trainer is None or not self.trainer.training:
            return 0
        batches = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        return batches * self._share_of_batch()


def send(values: Tensor, device: torch.device) -> Tensor:
    """Values on a GPU, by way of pinned memory; what is repeated along an axis is sent once."""
    if values.device.type != "cpu":
        return values.to(device)
    once = values[tuple(slice(1) if step == 0 else slice(None) for step in values.stride())]
    return once.contiguous().pin_memory().to(device, non_blocking=True).expand(values.shape)


def to_batch(images: UInt8[Tensor, "n p h w"], n_inputs: int = 3) -> Float[Tensor, "n inputs h w"]:
    """Prepared images as the network takes them: in [0, 1], a grey plane repeated.

    Args:
        images: Their pixels.
        n_inputs: Planes that the network takes.
    """
    return images.float().div_(255).expand(-1, n_inputs, -1, -1)


def collate_plain(
    pairs: Sequence[tuple[UInt8[Tensor, "p h w"], Int64[Tensor, ""]]], n_inputs: int = 3
) -> Batch:
    """A batch of images that are not augmented."""
    images, labels = zip(*pairs, strict=True)
    return to_batch(torch.stack(images), n_inputs), torch.stack(labels)


def collate_augmented(
    pairs: Sequence[tuple[Float[Tensor, "inputs h w"], Int64[Tensor, ""]]],
) -> Batch:
    """A batch of augmented images; the plane of a grey image is repeated, not copied thrice."""
    images, labels = zip(*pairs, strict=True)
    planes = [image[:1] if image.stride(0) == 0 else image for image in images]
    return torch.stack(planes).expand(-1, len(images[0]), -1, -1), torch.stack(labels)


def check_known(what: str, names: set[str], expected: Sequence[str]) -> None:
    """Refuses names that are not among those expected.

    Raises:
        ValueError: Naming the unknown ones.
    """
    unknown = sorted(names - set(expected))
    if unknown:
        raise ValueError(f"{what} {', '.join(unknown)}, expected {', '.join(expected)}")
