"""What a threshold promises: how many false alarms, and with what certainty, by so many images."""

from dataclasses import dataclass

from scipy.special import betainc, betaincinv

from cellxai.intervals.level import TAIL

ROUNDING = 1e-9  # 0.04 · 25 is rounded in binary and still is one image


@dataclass(frozen=True)
class Promise:
    """The threshold that ``n`` known images set.

    If known images and new ones are exchangeable, the false-alarm rate of the threshold at the r-th
    most surprising of n images is a draw from Beta(r, n + 1 - r) (Vovk 2012, arXiv:1209.2673). Over
    many such sets of images its mean is r / (n + 1).

    Args:
        percent: False alarms asked for, in percent of known images.
        n_images: Number of images that set the threshold.
        guarantee: The confidence with which the rate is to be at most the one asked for; ``None``
            for a rate that is kept on average.
    """

    percent: float
    n_images: int
    guarantee: float | None = None

    @property
    def rank(self) -> int:
        """Which image sets the threshold, the most surprising being 1; 0 if there are too few."""
        alpha, n = self.percent / 100, self.n_images
        rank = min(n, int(alpha * (n + 1) + ROUNDING))
        if self.guarantee is None:
            return rank
        while rank and betainc(rank, n + 1 - rank, alpha) < self.guarantee:
            rank -= 1
        return rank

    @property
    def level(self) -> float:
        """The largest p-value that is flagged."""
        return self.rank / (self.n_images + 1)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the false-alarm rate lies with a probability of 95 %."""
        if not self.rank:
            return 0.0, 0.0
        shape = self.rank, self.n_images + 1 - self.rank
        low, high = (betaincinv(*shape, q) for q in (TAIL, 1 - TAIL))
        return float(low), float(high)

    @property
    def least_images(self) -> int:
        """The fewest images that can keep such a promise at all."""
        n = 1
        while not Promise(self.percent, n, self.guarantee).rank:
            n += 1
        return n

    def __str__(self) -> str:
        """What the images allow, as one line."""
        images = f"{self.n_images} known images"
        if not self.rank:
            sure = "" if self.guarantee is None else f" with a certainty of {self.guarantee:.0%}"
            return (
                f"{images} cannot keep a promise of {self.percent:g} % false alarms{sure}, so no "
                f"image is flagged; at least {self.least_images} can"
            )
        low, high = self.interval
        asked = f"{self.percent:g} %"
        if self.guarantee is not None:
            asked = f"at most {asked} with a certainty of {self.guarantee:.0%}"
        return f"{images} allow {low:.1%} to {high:.1%} false alarms at {asked}"
