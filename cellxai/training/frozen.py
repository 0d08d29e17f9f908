"""Training the head alone: the features of a frozen backbone are computed once and kept."""

from collections.abc import Callable, Iterator, Sequence

import lightning as L
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cellxai.classifier.module import CellClassifier
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.loading.sampling import AugmentedImages, ResumableLoader
from cellxai.data.pixels.tensor_augment import keep_batch


class CachedFeatures(L.LightningDataModule):
    """The pooled features of a frozen backbone in the place of images, in the same order.

    All are computed in the first epoch of a start, in single precision and in a fixed order, so
    that a resumed run has the same ones to the last bit. Training sees ``views`` versions of each
    image in turn, one an epoch: the first is the untouched image, as validation has it, and the
    others are augmented. With one view nothing is augmented; with as many as there are epochs every
    epoch has its own, as without a cache.

    Args:
        images: The images; training follows their order.
        classifier: Its backbone is frozen.
        views: Versions of each training image.
    """

    def __init__(self, images: CellImages, classifier: CellClassifier, views: int) -> None:
        super().__init__()
        self.images = images
        self.classifier = classifier
        self.views = {"train": views, "validation": 1}
        self._features: dict[str, Float[Tensor, "v n p"]] = {}

    def setup(self, stage: str | None = None) -> None:
        """Lets the images know the trainer, which knows the epoch, the step and the process."""
        self.images.trainer = self.trainer

    def features(self, part: str) -> Float[Tensor, "v n p"]:
        """Features of all versions of the images of a part, on the CPU."""
        if part not in self._features:
            versions = (self.batches(part, view) for view in range(self.views[part]))
            self._features[part] = torch.stack([pool_all(self.classifier, v) for v in versions])
        return self._features[part]

    def batches(self, part: str, view: int) -> Iterator[Float[Tensor, "b p h w"]]:
        """One version of the images of a part."""
        if view == 0:
            yield from (images for images, _ in self.images.tensor_batches(part))
            return
        images, labels = self.images.images(part), self.images.labels(part)
        augmented = AugmentedImages(images, labels, self.images.transforms, self.images.seed)
        for start in range(0, len(labels), self.images.batch_size):
            batch = range(start, min(start + self.images.batch_size, len(labels)))
            yield torch.stack([augmented[view, index][0] for index in batch])

    def train_dataloader(self) -> DataLoader:
        """Features in the order in which the images would come."""
        images = self.images.train_dataloader()
        views = Views(lambda: self.features("train"), self.images.labels("train"))
        return ResumableLoader(
            views, batch_size=images.batch_size, sampler=images.sampler, collate_fn=keep_batch
        )

    def val_dataloader(self) -> DataLoader:
        """Features of the validation images, in the order of those."""
        images = self.images.val_dataloader()
        views = Views(lambda: self.features("validation"), self.images.labels("validation"))
        order = [(0, i) for i in images.sampler]
        return DataLoader(views, images.batch_size, sampler=order, collate_fn=keep_batch)


class Views(Dataset):
    """Features and labels by ``(epoch, index)``; the views take turns.

    Args:
        features: Computes them at the first call, and keeps them.
        labels: Classes of the images.
    """

    def __init__(
        self, features: Callable[[], Float[Tensor, "v n p"]], labels: Int64[Tensor, " n"]
    ) -> None:
        self.features = features
        self.labels = labels

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        features, labels = self.__getitems__([key])
        return features[0], labels[0]

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """A batch at once, as loaders of torch ask for it; nothing is left to collate."""
        features = self.features()
        epochs, indices = torch.tensor(keys).unbind(1)
        return features[epochs % len(features), indices], self.labels[indices]


@torch.no_grad()
def pool_all(
    classifier: CellClassifier, batches: Iterator[Float[Tensor, "b p h w"]]
) -> Float[Tensor, "n p"]:
    """Features of all batches, on the CPU."""
    device = classifier.device
    features = [classifier.pooled(images.to(device)).cpu() for images in batches]
    return torch.cat(features) if features else torch.empty(0, 0)
