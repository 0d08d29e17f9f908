"""Which image comes when, and how it is augmented: functions of seed, epoch and index alone.

Nothing random is carried from one batch to the next, so nothing has to be saved and nothing can
get out of step. Any process knows from ``(seed, epoch)`` in which order the images of an epoch
come, from the number of the batch where in that order it is, and from ``(seed, epoch, index)`` how
an image is augmented. Hence a run that was killed goes on with the next image, worker processes
change no bit, and a failure can name its images by the number of the batch.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from cellxai.data.pixels.transforms import Transforms, augmentation_seed, to_tensor

Order = Literal["shuffled", "balanced"]
Example = tuple[Float[Tensor, "inputs h w"], Int64[Tensor, ""]]


def epoch_order(
    labels: Int64[np.ndarray, " n"], order: Order, seed: int, epoch: int
) -> Int64[np.ndarray, " n"]:
    """Indices of the images of an epoch: all of them, or as many with all classes equally often."""
    random = np.random.default_rng([seed, epoch])
    if order == "balanced":
        return balanced_order(labels, random)
    return random.permutation(len(labels))


def balanced_order(
    labels: Int64[np.ndarray, " n"], random: np.random.Generator
) -> Int64[np.ndarray, " n"]:
    """As many indices as there are images, each class as often as any other to within one.

    A small class is gone through several times, each time in another order; of a large one a part
    is drawn, without an image twice.
    """
    members = [np.flatnonzero(labels == label) for label in random.permutation(np.unique(labels))]
    quotas = [len(part) for part in np.array_split(labels, len(members))]
    pairs = zip(members, quotas, strict=True)
    drawn = [cycle_through(indices, quota, random) for indices, quota in pairs]
    return random.permutation(np.concatenate(drawn))


def cycle_through(
    indices: Int64[np.ndarray, " m"], n_drawn: int, random: np.random.Generator
) -> Int64[np.ndarray, " q"]:
    """``n_drawn`` of the indices: none comes a second time before all have come once."""
    rounds = -(-n_drawn // len(indices))
    return np.concatenate([random.permutation(indices) for _ in range(rounds)])[:n_drawn]


def take_share(
    order: Int64[np.ndarray, " n"], rank: int, n_processes: int
) -> Int64[np.ndarray, " m"]:
    """What one of several processes trains on: all get equally many, and meet at every step.

    A step of all processes together then takes the images that one process would take. Where they
    do not come out even, the last step takes up to ``n_processes - 1`` of the epoch's first images
    once more: a process without an image would leave the others waiting for its gradient.
    """
    padded = np.resize(order, -(-len(order) // n_processes) * n_processes)
    return padded[rank::n_processes]


class AugmentedImages(Dataset):
    """Training images by ``(epoch, index)``: the pair and the seed say all that is random."""

    def __init__(
        self,
        images: UInt8[Tensor, "n p h w"],
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
        augmented = self.transforms.augment(image, seed)
        return to_tensor(augmented, self.transforms.n_inputs), self.labels[index]


class EpochSampler(Sampler[tuple[int, int]]):
    """Pairs ``(epoch, index)`` in the order of the epoch, from the first that is not used yet.

    Args:
        order_of: Indices of the images of an epoch, the same number in each.
        images_seen: Images of the current epoch that are used already, which are skipped.
    """

    def __init__(
        self,
        order_of: Callable[[int], Int64[np.ndarray, " n"]],
        images_seen: Callable[[], int] = lambda: 0,
    ) -> None:
        self.order_of = order_of
        self.images_seen = images_seen
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch; Lightning calls it before each, and after resuming."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for index in self.order_of(self.epoch)[self.images_seen() :]:
            yield self.epoch, int(index)

    def __len__(self) -> int:
        return len(self.order_of(0))


class ResumableLoader(DataLoader):
    """A loader whose position is its sampler's, which asks the trainer.

    Lightning takes a loader for resumable by the two methods of its state, and would warn without.
    """

    def __iter__(self) -> Iterator[Any]:
        # Lightning makes the iterator before it restores the epoch, and worker processes are given
        # their first images when theirs is made. A generator's body runs at the first `next`, and
        # by then both epoch and progress are those of the checkpoint.
        yield from super().__iter__()

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the trainer's own checkpoint holds the epoch and the step."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Does nothing, as there is no state."""


def use_one_thread(worker: int) -> None:
    """Makes a worker process work alone: OpenCV's threads do not survive a fork."""
    cv2.setNumThreads(0)
