"""What scores of unseen images say: a threshold, and how rare a score is among known images."""

from dataclasses import dataclass
from math import ceil, isfinite, log

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gmm.anomaly import DensityThreshold, density_threshold

TAIL_SHARE = 0.1  # of the calibration scores: the lowest ones, which the tail is fitted to
LEAST_TAIL = 3  # scores that a mean excess needs
LEAST_EXCESS = 1e-9  # of a tail whose scores are all the same


@dataclass(frozen=True)
class Calibration:
    """Scores of known images, each from a pipeline that was not fitted to it.

    Args:
        log_density: In nats.
        error: Reconstruction errors of the same images; ``None`` without PCA.
        percent: Share of known images to flag, in percent.
        n_folds: Folds that the scores come from; 0 where the images are held out for good.
    """

    log_density: Float[Tensor, " n"]
    error: Float[Tensor, " n"] | None
    percent: float
    n_folds: int = 0

    @property
    def threshold(self) -> DensityThreshold:
        """The least log density that is not flagged."""
        return density_threshold(self.log_density.numpy(), self.percent)

    @property
    def finite_threshold_nats(self) -> float | None:
        """The threshold as JSON has it; ``None`` for the -inf of too few scores."""
        nats = self.threshold.threshold_nats
        return nats if isfinite(nats) else None

    def with_threshold(self) -> "Calibration":
        """Itself, where it has a threshold.

        Raises:
            ValueError: If there is no score, or one is not finite.
        """
        self.threshold  # noqa: B018 - asked for the error alone
        return self

    def evidence(
        self, log_density: Float[Tensor, " m"], error: Float[Tensor, " m"] | None
    ) -> Float[Tensor, " m"]:
        """Natural logarithm of the smaller of two p-values: of the density and of the error.

        The smallest p-value (Tippett 1931) because one detector's certainty is enough: an image
        that the error finds easy, such as a dark one, is not excused by that, as it would be in a
        sum (Fisher 1932), which moreover takes the two for independent.
        """
        of_density = tail_log_p(log_density, self.log_density)
        if error is None or self.error is None:
            return of_density
        return torch.minimum(of_density, tail_log_p(-error, -self.error))

    def flags(
        self,
        log_density: Float[Tensor, " m"],
        error: Float[Tensor, " m"] | None,
        by: str,
        percent: float | None = None,
    ) -> Bool[np.ndarray, " m"]:
        """Which images are unfamiliar.

        Args:
            log_density: Of the images.
            error: Likewise.
            by: ``density``, or ``either``: the smaller p-value below half the share (Bonferroni),
                so that known images are flagged no more often.
            percent: Another share of known images than the calibration's.
        """
        share = self.percent if percent is None else percent
        if by == "density":
            threshold = density_threshold(self.log_density.numpy(), share)
            return threshold.flags(log_density.detach().numpy())
        n_tests = 1 if self.error is None else 2
        evidence = self.evidence(log_density, error).detach().numpy()
        return ~(evidence >= log(share / 100 / n_tests))


def tail_log_p(
    scores: Float[Tensor, " m"], calibration: Float[Tensor, " n"]
) -> Float[Tensor, " m"]:
    """Logarithm of the chance that a known image scores as low, from scores of known images.

    Interpolated between i / (n + 1) at the i-th least score. Where fewer than a tenth of the scores
    are lower, an exponential tail with the mean excess of the lowest tenth (Pickands 1975,
    doi:10.1214/aos/1176343003, with shape 0): a score far below all others is then told from one
    just below them, which counting cannot.
    """
    known = calibration.sort().values
    n_tail = min(max(ceil(TAIL_SHARE * len(known)), LEAST_TAIL), len(known))
    edge, size = known[n_tail - 1], len(known) + 1
    excess = (edge - known[:n_tail]).mean().clamp(min=LEAST_EXCESS)
    ranks = torch.arange(1, size, dtype=known.dtype) / size
    within = np.interp(scores.detach().numpy(), known.numpy(), ranks.numpy(), right=1.0)
    bulk = torch.from_numpy(within).log()
    tail = log(n_tail / size) + (scores - edge) / excess
    return torch.where(scores < edge, tail, bulk)
