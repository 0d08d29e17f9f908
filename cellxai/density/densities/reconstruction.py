"""What of a row is lost in the principal axes of known rows."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from cellxai.density.densities.base import Density, FittedDensity, State
from cellxai.density.projection import Projection, fit_projection


@dataclass(frozen=True)
class FittedReconstruction(FittedDensity):
    """Principal axes.

    Args:
        projection: Rows to coordinates along the axes.
    """

    projection: Projection

    def surprise(self, rows: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Mean squared error of the reconstruction, in squared units of the scaled features."""
        return self.projection.error(rows.double())

    def state(self) -> State:
        """See :meth:`FittedDensity.state`."""
        return self.projection.state()


class ReconstructionError(Density):
    """The error of PCA's reconstruction: off the axes, a density in few dimensions is blind.

    Args:
        projection: Share of the variance that the axes explain, or their number from 1 on.
        standardise: Whether features are divided by their standard deviation first.
    """

    def __init__(self, projection: int | float = 0.95, standardise: bool = False) -> None:
        self.projection = projection
        self.standardise = standardise

    def fit(
        self, rows: Float[Tensor, "n f"], labels: Int[Tensor, " n"] | None, seed: int
    ) -> FittedReconstruction:
        """See :meth:`Density.fit`."""
        projection = fit_projection(rows.double(), self.standardise, self.projection)
        return FittedReconstruction(projection)

    def restore(self, state: State) -> FittedReconstruction:
        """See :meth:`Density.restore`."""
        return FittedReconstruction(Projection(**state))

    def like(self, fitted: FittedDensity, n_rows: int) -> "ReconstructionError":
        """See :meth:`Density.like`."""
        assert isinstance(fitted, FittedReconstruction)
        n_axes = min(fitted.projection.n_dimensions, max(1, n_rows - 1))
        return ReconstructionError(n_axes, self.standardise)
