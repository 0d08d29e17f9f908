"""Images in a few numbers: what a data set gives away before any network has seen it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Num, UInt8

from cellxai.data.image_formats import ImageFault
from cellxai.data.memory_budget import room_to_decode
from cellxai.data.pixels.planes import check_colours
from cellxai.data.pixels.steps import convert_colour
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.record_pixels import read_8_bits
from cellxai.data.records import Fault, Record
from cellxai.files.progress_bar import progress

MANY_IMAGES = 500  # more than a few seconds of reading: show how far it is


@dataclass(frozen=True)
class PixelStatistics:
    """The grey levels of one image before any step that evens them out, and its size.

    Args:
        mean: In grey levels.
        sd: Standard deviation over all pixels, in grey levels.
        height: In pixels.
        width: In pixels.
    """

    mean: float
    sd: float
    height: int
    width: int


def pixel_statistics(plane: Num[np.ndarray, "h w"]) -> PixelStatistics:
    """Mean and standard deviation of one grey plane, and its size."""
    return PixelStatistics(float(plane.mean()), float(plane.std()), *plane.shape)


def read_statistics(
    records: Sequence[Record], transforms: Transforms = Transforms()
) -> list[PixelStatistics | Fault]:
    """The statistics of each file's grey levels, or why it has none; colour is weighted to grey.

    Args:
        records: The images.
        transforms: Its rule makes 8 bits of 16, and its planes are looked at; no other step of it
            is taken.
    """

    def measure(record: Record) -> PixelStatistics | Fault:
        try:
            with room_to_decode(record, transforms.stack):
                return pixel_statistics(grey_levels(read_8_bits(record, transforms), transforms))
        except ImageFault as fault:
            return Fault(f"image {record.id}", str(fault))

    with ThreadPoolExecutor() as threads:
        return list(progress(threads.map(measure, records), "measuring", len(records), MANY_IMAGES))


def grey_levels(
    stored: UInt8[np.ndarray, "h w *c"], transforms: Transforms
) -> Num[np.ndarray, "h w"]:
    """One plane of an image in 8 bits: colour weighted to grey, and the mean of named planes.

    Raises:
        ImageFault: If the image has other planes.
    """
    if transforms.plane_names:
        return stored.mean(-1)
    return convert_colour(check_colours(stored, "grey"), "grey")


@dataclass(frozen=True)
class Discriminant:
    """Fisher's linear discriminant of one number: a Gaussian per class, of one shared variance.

    Args:
        counts: Number of images of each class, from which its prior probability follows.
        means: Mean of the number in each class.
        scatter: Sum of squared distances to the own class's mean, over all images.
    """

    counts: Int[np.ndarray, "*n k"]
    means: Float[np.ndarray, "*n k"]
    scatter: Float[np.ndarray, "*n 1"]

    def predict(self, values: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The most probable class of each value; never one without images."""
        present = self.counts > 0
        # Of maximum likelihood: divided by n, as the priors are.
        variance = self.scatter / np.maximum(self.counts.sum(-1, keepdims=True), 1)
        variance = np.maximum(variance, np.finfo(np.float64).tiny)
        distance = (values[:, None] - self.means) ** 2 / (2 * variance)
        prior = np.log(self.counts, out=np.full(self.counts.shape, -np.inf), where=present)
        return (prior - distance).argmax(-1)


def fit_discriminant(
    values: Float[np.ndarray, " n"], labels: Int[np.ndarray, " n"], n_classes: int
) -> Discriminant:
    """Counts, means and scatter of one number by class; the mean of an empty class is 0."""
    counts = np.bincount(labels, minlength=n_classes)
    means = np.bincount(labels, values, n_classes) / np.maximum(counts, 1)
    return Discriminant(counts, means, ((values - means[labels]) ** 2).sum(keepdims=True))


def predict_left_out(
    values: Float[np.ndarray, " n"], labels: Int[np.ndarray, " n"], n_classes: int
) -> Int[np.ndarray, " n"]:
    """The class of each image by the discriminant of all others: leave-one-out, in one step."""
    whole = fit_discriminant(values, labels, n_classes)
    own = np.eye(n_classes, dtype=np.int64)[labels]
    counts = whole.counts - own
    deviation = values[:, None] - whole.means
    means = whole.means - own * deviation / np.maximum(counts, 1)
    # Taking x out of n samples of mean m lowers their scatter by (x − m)² · n / (n − 1).
    share = whole.counts / np.maximum(whole.counts - 1, 1)
    scatter = whole.scatter - (own * deviation**2 * share).sum(-1, keepdims=True)
    return Discriminant(counts, means, np.maximum(scatter, 0)).predict(values)
