"""What a density is: fitted to rows of numbers, it says how surprising other rows are."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

State = Mapping[str, Any]


class FittedDensity(ABC):
    """What a :class:`Density` has learned."""

    @abstractmethod
    def surprise(self, rows: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """How far rows are from what is typical: at least 0, in float64, differentiable.

        For a probability density it is the log density at its peak minus that of the row, in nats.
        Unlike the log density it does not depend on units or on the volume that a fit occupies, so
        that fits to different folds can be compared.
        """

    def with_small_axes(self) -> "FittedDensity":
        """The same density, in less memory where it can: many folds are held at a time."""
        return self

    @abstractmethod
    def state(self) -> State:
        """Tensors, mixtures and numbers from which :meth:`Density.restore` makes it again."""


class Density(ABC):
    """A way of learning what rows of known images are like; subclass it and name it in a config.

    An instance holds settings alone: ``fit`` changes nothing in it.
    """

    @abstractmethod
    def fit(
        self, rows: Float[Tensor, "n f"], labels: Int[Tensor, " n"] | None, seed: int
    ) -> FittedDensity:
        """Learns the rows of known images.

        Args:
            rows: Finite numbers.
            labels: The class of each row, for a density of each class.
            seed: Seed of whatever is random.
        """

    @abstractmethod
    def restore(self, state: State) -> FittedDensity:
        """What :meth:`fit` made, from its state; arrays are tensors."""

    @abstractmethod
    def like(self, fitted: FittedDensity, n_rows: int) -> "Density":
        """Settings for folds of the same rows: with as many axes as the fit to all of them.

        Surprise grows with the number of axes, so that fits with more or fewer do not compare.

        Args:
            fitted: The fit to all rows.
            n_rows: Rows that each fold leaves at least: no more axes than these have are kept.
        """
