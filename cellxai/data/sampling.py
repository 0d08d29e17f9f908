"""Training images in an order, and augmented in a way, that any run can repeat or take up again."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from cellxai.data.transforms import Transforms, augmentation_seed, to_tensor

Example = tuple[Float[Tensor, "3 h w"], Int64[Tensor, ""]]


class AugmentedImages(Dataset):
    """Training images by ``(epoch, index)``: the pair and the seed say all that is random."""

    def __init__(
        self,
        images: UInt8[Tensor, "n c h w"],
        labels: Int64[Tensor, " n"],
        transforms: Transforms,
        seed: int,
    ) -> None:
        self.images = images
        self.labels = labels
        self.transforms = transforms
        self.seed = seed

    def __getitem__(self, key: tuple[int, int]) -> Example:
        epoch, index = key
        seed = augmentation_seed(self.seed, epoch, index)
        image = np.ascontiguousarray(self.images[index].permute(1, 2, 0).numpy())
        return to_tensor(self.transforms.augment(image, seed)), self.labels[index]


class EpochSampler(Sampler[tuple[int, int]]):
    """Pairs ``(epoch, index)`` in an order that is a function of the seed and the epoch.

    Args:
        n_images: Images in an epoch.
        seed: Another seed, another order.
        images_seen: Images of this epoch that are used already, which are skipped.
    """

    def __init__(self, n_images: int, seed: int, images_seen: Callable[[], int]) -> None:
        self.n_images = n_images
        self.seed = seed
        self.images_seen = images_seen
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch; Lightning calls it before each, and after resuming."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        # Lightning makes the iterator before it restores the epoch. A generator's body runs at the
        # first `next`, and by then both epoch and progress are those of the checkpoint.
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.n_images)
        for index in order[self.images_seen() :]:
            yield self.epoch, int(index)

    def __len__(self) -> int:
        return self.n_images


class ResumableLoader(DataLoader):
    """A loader whose position is its sampler's, which asks the trainer.

    Lightning takes a loader for resumable by these two methods, and would warn without them.
    """

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the trainer's own checkpoint holds the epoch and the step."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Does nothing, as there is no state."""
