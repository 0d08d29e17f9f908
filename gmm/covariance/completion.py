"""What each covariance type does with samples of which some values are missing.

The marginal of a Gaussian is a Gaussian again, so densities of the known values need no
imputation; EM completes the missing ones by their conditional mean and covariance: Ghahramani &
Jordan (1994), Supervised learning from incomplete data via an EM approach.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """Patterns of missing values that are alike in size, padded to the same shape.

    Args:
        features: The features that each pattern is solved for: those it misses, or those it knows,
            whichever are fewer; padded with d.
        samples: The samples that have the pattern, padded with n.
    """

    features: Int[Tensor, "p s"]
    samples: Int[Tensor, "p w"]


@dataclass(frozen=True)
class Incomplete:
    """Samples of which some values are missing, arranged by which.

    Args:
        x: Samples as columns, centred on the reference, 0 where a value is missing.
        known: Where a value is known.
        few_missing: Whether ``features`` of the groups are the missing ones.
        groups: Every pattern but those that are all known or all missing, once.
        weights: How often each sample counts; None for once.
    """

    x: Float[Tensor, "d n"]
    known: Bool[Tensor, "d n"]
    few_missing: bool
    groups: tuple[Group, ...]
    weights: Float[Tensor, " n"] | None = None


class Completion(ABC):
    """Incomplete samples under the components of a batch of mixtures; a type's own is final."""

    @property
    @abstractmethod
    def log_density(self) -> Float[Tensor, "run k n"]:
        """Log density in nats of what is known of each sample, under each component."""

    @abstractmethod
    def moments(
        self, resp: Float[Tensor, "run k n"]
    ) -> tuple[Float[Tensor, "run k d"], Float[Tensor, "run kq m"]]:
        """Expected sums of the samples and of their quadratics, weighted by responsibilities.

        In the order of :meth:`gmm.covariance.Covariance.second_moments`, about the reference.
        """


def known_deviations(
    part: Incomplete, means: Float[Tensor, "run k d"]
) -> Float[Tensor, "run k d n"]:
    """Deviations from the component means; 0 where a value is missing."""
    return (part.x - means[..., None]).where(part.known, 0.0)


def take(values: Float[Tensor, "*lead n"], samples: Int[Tensor, "p w"]) -> Float[Tensor, "..."]:
    """The values of the samples of each pattern; 0 for padding."""
    last = values.shape[-1] - 1
    return values[..., samples.clamp(max=last)].where(samples <= last, 0.0)


def put(
    room: Shaped[Tensor, "*lead n1"], samples: Int[Tensor, "p w"], values: Shaped[Tensor, "..."]
) -> Shaped[Tensor, "*lead n1"]:
    """The room, whose last column is for padding, with the values of each pattern's samples."""
    return room.index_copy(-1, samples.flatten(), values.flatten(-2))


def padded_zeros(x: Float[Tensor, "..."], *shape: int) -> Float[Tensor, "..."]:
    """Zeros in the precision and on the device of ``x``."""
    return torch.zeros(shape, dtype=x.dtype, device=x.device)
