"""Designs: which superpixels each perturbed image shows.

The first sample always shows everything. A good design needs few forwards for the ranking that
plain LIME reaches with thousands; ``scripts/bench_lime_designs.py`` measures how few.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cellxai.explain.lime.hadamard import hadamard, smallest_order

SAMPLES_PER_SUPERPIXEL = 10  # LIME's author: about 1000 samples for 100 superpixels
ROUND_SIZE = 64  # of samples that do not belong together


class Design(ABC):
    """Draws perturbations. Subclass it in your own file, name it by ``class_path``.

    Attributes:
        weighted: Whether the surrogate weighs samples by locality; False where locality already
            decides how often a sample is drawn.
        paired: Whether samples 1 and 2, 3 and 4, … are complements of each other.
        samples_per_superpixel: With fewer, an explanation is called degraded.
    """

    weighted: ClassVar[bool] = True
    paired: ClassVar[bool] = False
    samples_per_superpixel: ClassVar[int] = SAMPLES_PER_SUPERPIXEL

    @abstractmethod
    def masks(
        self, n_samples: int, locality: Float[Tensor, " s_plus_1"], seed: int
    ) -> Bool[Tensor, "n s"]:
        """True where a superpixel is shown; the first row is all True.

        Args:
            n_samples: Rows, the first included.
            locality: Weight of a sample that shows 0, 1, … all s superpixels.
            seed: The same seed draws the same.
        """

    @abstractmethod
    def round_size(self, n_superpixels: int) -> int:
        """How many samples belong together: an adaptive stop looks only between such rounds."""


class Bernoulli(Design):
    """Each superpixel shown with probability ½: the draws of the ``lime`` package at that seed."""

    def masks(
        self, n_samples: int, locality: Float[Tensor, " s_plus_1"], seed: int
    ) -> Bool[Tensor, "n s"]:
        """See :meth:`Design.masks`."""
        # Its generator, and its first number thrown away: the package draws a segmentation seed.
        generator = np.random.RandomState(seed)
        generator.randint(0, high=1000)
        drawn = generator.randint(0, 2, n_samples * (len(locality) - 1)).reshape(n_samples, -1)
        return _with_first_unperturbed(torch.from_numpy(drawn).bool())

    def round_size(self, n_superpixels: int) -> int:
        """See :meth:`Design.round_size`."""
        return ROUND_SIZE


class Antithetic(Design):
    """Bernoulli samples, each followed by its complement: effects of even order cancel."""

    paired = True
    samples_per_superpixel = 5  # as good as 10 independent ones: scripts/bench_lime_designs.py

    def masks(
        self, n_samples: int, locality: Float[Tensor, " s_plus_1"], seed: int
    ) -> Bool[Tensor, "n s"]:
        """See :meth:`Design.masks`."""
        shape = (n_samples // 2 + 1, len(locality) - 1)
        half = torch.rand(shape, generator=_generator(seed)) < 0.5
        return _after_unperturbed(_with_complements(half), n_samples)

    def round_size(self, n_superpixels: int) -> int:
        """See :meth:`Design.round_size`."""
        return ROUND_SIZE


class OrthogonalArray(Design):
    """Rows of a Hadamard matrix with fold-over (Plackett and Burman 1946; Box and Wilson 1951).

    In a round, every superpixel is shown in half of the samples, every two of them together in a
    quarter, and the complement of every sample is a sample: effects of single superpixels are
    mixed neither with each other nor with those of pairs. Each round permutes superpixels, rows and
    signs anew, so that over the seeds every mask is as likely as any other.
    """

    paired = True
    samples_per_superpixel = 4  # as good as 20 independent ones: the same script

    def masks(
        self, n_samples: int, locality: Float[Tensor, " s_plus_1"], seed: int
    ) -> Bool[Tensor, "n s"]:
        """See :meth:`Design.masks`."""
        n_superpixels = len(locality) - 1
        order, generator = smallest_order(n_superpixels + 1), _generator(seed)
        columns = torch.from_numpy(hadamard(order)[:, 1:] > 0)
        n_rounds = -(-(n_samples - 1) // (2 * order))
        rounds = [_shuffle(columns, n_superpixels, generator) for _ in range(max(n_rounds, 1))]
        return _after_unperturbed(_with_complements(torch.cat(rounds)), n_samples)

    def round_size(self, n_superpixels: int) -> int:
        """See :meth:`Design.round_size`."""
        return 2 * smallest_order(n_superpixels + 1)


class StratifiedSizes(Design):
    """Numbers of shown superpixels at even quantiles of Binomial(s, ½), a random set of each."""

    def masks(
        self, n_samples: int, locality: Float[Tensor, " s_plus_1"], seed: int
    ) -> Bool[Tensor, "n s"]:
        """See :meth:`Design.masks`."""
        return _masks_of_sizes(n_samples, torch.ones_like(locality), _generator(seed))

    def round_size(self, n_superpixels: int) -> int:
        """See :meth:`Design.round_size`."""
        return ROUND_SIZE


class Locality(Design):
    """Sizes drawn from the locality distribution, all samples of weight one.

    GLIME-Binomial (arXiv:2311.15722): the same expectation as weighting Bernoulli samples, without
    samples that hardly count. Sizes lie at even quantiles of the distribution.
    """

    weighted = False

    def masks(
        self, n_samples: int, locality: Float[Tensor, " s_plus_1"], seed: int
    ) -> Bool[Tensor, "n s"]:
        """See :meth:`Design.masks`."""
        return _masks_of_sizes(n_samples, locality, _generator(seed))

    def round_size(self, n_superpixels: int) -> int:
        """See :meth:`Design.round_size`."""
        return ROUND_SIZE


def size_probabilities(locality: Float[Tensor, " s_plus_1"]) -> Float[Tensor, " s_plus_1"]:
    """How likely a sample shows 0, 1, … s superpixels: Binomial(s, ½) times its locality."""
    n_superpixels = len(locality) - 1
    size = torch.arange(n_superpixels + 1, dtype=torch.float64)
    total = torch.tensor(float(n_superpixels), dtype=torch.float64)
    log_ways = (total + 1).lgamma() - (size + 1).lgamma() - (total - size + 1).lgamma()
    return torch.softmax(log_ways + locality.double().cpu().log(), 0)


def _masks_of_sizes(
    n_samples: int, locality: Float[Tensor, " s_plus_1"], generator: torch.Generator
) -> Bool[Tensor, "n s"]:
    """Random sets of stratified sizes, in random order."""
    strata = torch.arange(n_samples) + torch.rand(n_samples, generator=generator)
    quantiles = strata[torch.randperm(n_samples, generator=generator)].double() / n_samples
    cumulative = size_probabilities(locality).cumsum(0)
    sizes = torch.searchsorted(cumulative, quantiles).clamp(max=len(locality) - 1)
    noise = torch.rand(n_samples, len(locality) - 1, generator=generator)
    return _with_first_unperturbed(noise.argsort(1).argsort(1) < sizes[:, None])


def _shuffle(
    columns: Bool[Tensor, "n k"], n_superpixels: int, generator: torch.Generator
) -> Bool[Tensor, "n s"]:
    """As many columns as there are superpixels, with columns, rows and signs in random order."""
    n_rows, n_columns = columns.shape
    chosen = torch.randperm(n_columns, generator=generator)[:n_superpixels]
    order = torch.randperm(n_rows, generator=generator)
    flipped = torch.rand(n_superpixels, generator=generator) < 0.5
    return columns[order][:, chosen] ^ flipped


def _with_complements(half: Bool[Tensor, "n s"]) -> Bool[Tensor, "m s"]:
    return torch.stack([half, ~half], 1).flatten(0, 1)


def _after_unperturbed(rest: Bool[Tensor, "m s"], n_samples: int) -> Bool[Tensor, "n s"]:
    return torch.cat([torch.ones_like(rest[:1]), rest[: n_samples - 1]])


def _with_first_unperturbed(masks: Bool[Tensor, "n s"]) -> Bool[Tensor, "n s"]:
    return torch.cat([torch.ones_like(masks[:1]), masks[1:]])


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
