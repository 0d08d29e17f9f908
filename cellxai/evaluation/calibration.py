"""Whether predictions of 90 % confidence are right in 90 % of the images: arXiv:1706.04599."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from cellxai.intervals.level import TAIL

N_BINS = 15  # as in the paper
IMAGES_PER_BIN = 10  # at least, in bins of equal mass: with fewer, a bin is mostly chance
N_DRAWS = 1000

DEFINITION = (
    "ECE: mean over the images of |share right − mean confidence| of their bin, confidence being "
    "the probability of the predicted class (arXiv:1706.04599, eq. 3). equal_width: "
    f"{N_BINS} bins of (0, 1]. equal_mass: up to {N_BINS} bins of equal counts, at least "
    f"{IMAGES_PER_BIN} images each. if_calibrated: mean and 95 % quantile of the ECE that a "
    "perfectly calibrated network would show on as many images with the same confidences, since "
    "few images alone make an ECE above 0 (Bröcker and Smith 2007, consistency resampling)."
)


@dataclass(frozen=True)
class Reliability:
    """The bins that hold an image.

    Args:
        counts: Images in each bin.
        confidence: Their mean confidence.
        accuracy: Share of the images that are classified correctly.
        low: 2.5 % quantile of the accuracy if the confidences were true.
        high: 97.5 % quantile of the accuracy if the confidences were true.
        if_calibrated: Mean and 95 % quantile of the error if the confidences were true.
    """

    counts: Int[np.ndarray, " m"]
    confidence: Float[np.ndarray, " m"]
    accuracy: Float[np.ndarray, " m"]
    low: Float[np.ndarray, " m"]
    high: Float[np.ndarray, " m"]
    if_calibrated: tuple[float, float]

    @property
    def error(self) -> float:
        """The expected calibration error (arXiv:1706.04599, eq. 3)."""
        return float(bin_error(self.accuracy[None], self.confidence, self.counts)[0])


def equal_width_bins(
    confidence: Float[np.ndarray, " n"], n_bins: int = N_BINS
) -> Int[np.ndarray, " n"]:
    """The index m − 1, from 0, of the bin ((m − 1)/M, m/M] that each confidence falls into."""
    edges = np.linspace(0, 1, n_bins + 1)[1:-1]
    return np.searchsorted(edges, confidence, side="left")


def equal_mass_bins(
    confidence: Float[np.ndarray, " n"], n_bins: int | None = None
) -> Int[np.ndarray, " n"]:
    """Bins between quantiles of the confidences; equal confidences share a bin.

    Args:
        confidence: Confidence of each image.
        n_bins: Largest number of bins; ``None`` for as many as leave 10 images in each, at most 15.
    """
    if n_bins is None:
        n_bins = min(N_BINS, max(1, len(confidence) // IMAGES_PER_BIN))
    # Each edge is one of the confidences, so that rounding cannot separate equal ones.
    quantiles = np.arange(1, n_bins) / n_bins
    edges = np.unique(np.quantile(confidence, quantiles, method="inverted_cdf"))
    return np.searchsorted(edges, confidence, side="left")


def reliability(
    confidence: Float[np.ndarray, " n"],
    right: Bool[np.ndarray, " n"],
    bins: Int[np.ndarray, " n"],
    seed: int = 0,
) -> Reliability:
    """Confidence and accuracy of each bin, and the accuracies that chance alone would produce."""
    _, bin_of, counts = np.unique(bins, return_inverse=True, return_counts=True)
    accuracy, expected = (np.bincount(bin_of, values) / counts for values in (right, confidence))
    shares = simulate_shares(confidence, bin_of, counts, seed)
    low, high = np.quantile(shares, [TAIL, 1 - TAIL], axis=0)
    errors = bin_error(shares, expected, counts)
    if_calibrated = float(errors.mean()), float(np.quantile(errors, 0.95))
    return Reliability(counts, expected, accuracy, low, high, if_calibrated)


def bin_error(
    accuracy: Float[np.ndarray, "draws m"],
    confidence: Float[np.ndarray, " m"],
    counts: Int[np.ndarray, " m"],
) -> Float[np.ndarray, " draws"]:
    """Distance between accuracy and confidence, averaged over the images of all bins."""
    return (np.abs(accuracy - confidence) * counts).sum(-1) / counts.sum()


def simulate_shares(
    confidence: Float[np.ndarray, " n"],
    bin_of: Int[np.ndarray, " n"],
    counts: Int[np.ndarray, " m"],
    seed: int,
) -> Float[np.ndarray, "draws m"]:
    """Simulates the share of right images in each bin as if every confidence were true."""
    generator = np.random.default_rng(seed)
    return np.stack(
        [
            np.bincount(bin_of, generator.random(len(confidence)) < confidence) / counts
            for _ in range(N_DRAWS)
        ]
    )
