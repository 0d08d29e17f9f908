"""How rare a score is among the scores of known images that fitted nothing, and the verdict.

The rule by which scores set a threshold is :func:`gmm.anomaly.density_threshold`.
"""

from dataclasses import dataclass
from math import ceil, isfinite, log

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gmm.anomaly import DensityThreshold, density_threshold

TAIL_SHARE = 0.1  # share of the calibration scores, the lowest, that the tail is fitted to
LEAST_TAIL = 3  # scores needed for a mean excess
LEAST_EXCESS = 1e-9  # in nats: keeps a tail whose scores are all equal from dividing by 0


@dataclass(frozen=True)
class Calibration:
    """Scores of known images, each from a pipeline that was not fitted to it.

    Args:
        log_density: Log densities in nats.
        error: Reconstruction errors of the same images; ``None`` without PCA.
        percent: Share of known images to flag, in percent.
        n_folds: Number of folds that the scores come from; 0 where the images were held out of
            the fit that is kept.
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
        """The threshold as JSON can hold it: ``None`` for the -inf of too few scores."""
        nats = self.threshold.threshold_nats
        return nats if isfinite(nats) else None

    def check_threshold(self) -> "Calibration":
        """Returns itself if its scores can set a threshold.

        Raises:
            ValueError: If there is no score, or one is not finite.
        """
        self.threshold  # noqa: B018 - for the error alone
        return self

    def evidence(
        self, log_density: Float[Tensor, " m"], error: Float[Tensor, " m"] | None
    ) -> Float[Tensor, " m"]:
        """Natural logarithm of the smaller of two p-values: of the density and of the error.

        The smaller p-value decides (Tippett 1931), so that the certainty of one of them is enough.
        In a sum of logarithms (Fisher 1932) a small error, as of a dark image, would excuse a low
        density; and the sum assumes that the two are independent.
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
            log_density: Log densities of the images.
            error: Reconstruction errors of the images; ``None`` without PCA.
            by: ``density``, or ``either``: the smaller p-value below half the share (Bonferroni),
                so that known images are flagged no more often.
            percent: Share of known images to flag; ``None`` for that of the calibration.
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
    """Logarithm of the probability that a known image scores as low, from scores of known images.

    The probability is i / (n + 1) at the i-th least score, and interpolated in between. Where fewer
    than a tenth of the scores are lower, it follows an exponential tail with the mean excess of the
    lowest tenth (Pickands 1975, doi:10.1214/aos/1176343003, with shape 0). Unlike counting, this
    distinguishes a score far below all others from one just below them.
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
