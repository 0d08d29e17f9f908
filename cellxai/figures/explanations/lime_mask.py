"""The image and mask that the ``lime`` package makes of an explanation, with its options."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

AGAINST, FOR = 0, 1  # red and green: the channel that marks a superpixel


@dataclass(frozen=True)
class LimeMask:
    """Options of ``get_image_and_mask`` of the ``lime`` package, under its names.

    Args:
        positive_only: Only superpixels that speak for the class.
        negative_only: Only superpixels that speak against it; positive_only must be false then.
        hide_rest: Whether everything else is black.
        num_features: How many superpixels at most, the strongest first.
        min_weight: Superpixels of a smaller coefficient are left out.

    Raises:
        ValueError: If both signs are the only one, or a number is out of range.
    """

    positive_only: bool = True
    negative_only: bool = False
    hide_rest: bool = False
    num_features: int = 5
    min_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.positive_only and self.negative_only:
            raise ValueError(
                "mask.negative_only=true contradicts mask.positive_only=true, its default; pass "
                "mask.positive_only=false"
            )
        if self.num_features < 1:
            raise ValueError(f"mask.num_features={self.num_features}: expected at least 1")
        if not self.min_weight >= 0:
            raise ValueError(f"mask.min_weight={self.min_weight}: expected at least 0")

    @property
    def has_one_sign(self) -> bool:
        """Whether superpixels of one sign alone are shown."""
        return self.positive_only or self.negative_only

    def __str__(self) -> str:
        kind = "for it" if self.positive_only else "against it"
        kind = kind if self.has_one_sign else "strongest"
        rest = ", rest hidden" if self.hide_rest else ""
        return f"at most {self.num_features} {kind}{rest}"


def choose_superpixels(coefficients: Float[np.ndarray, " s"], options: LimeMask) -> list[int]:
    """Labels of the superpixels that are shown, the strongest first; NaN is padding."""
    weights = np.nan_to_num(coefficients)
    order = np.argsort(-np.abs(weights), kind="stable")
    order = order[np.isfinite(coefficients[order])]
    if options.has_one_sign:
        sign = 1 if options.positive_only else -1
        kept = [i for i in order if sign * weights[i] > max(options.min_weight, 0)]
        return [int(i) for i in kept[: options.num_features]]
    strongest = order[: options.num_features]  # the package counts before it leaves out
    return [int(i) for i in strongest if abs(weights[i]) >= options.min_weight]


def image_and_mask(
    image: Float[np.ndarray, "h w 3"],
    superpixels: Int[np.ndarray, "h w"],
    coefficients: Float[np.ndarray, " s"],
    options: LimeMask,
) -> tuple[Float[np.ndarray, "h w 3"], Int[np.ndarray, "h w"]]:
    """The picture and the mask of the package's ``get_image_and_mask``.

    With one sign, chosen superpixels show the image and are 1 in the mask; with both, they are
    marked in green (for, 1) or red (against, −1).
    """
    shown = np.zeros_like(image) if options.hide_rest else image.copy()
    mask = np.zeros(superpixels.shape, dtype=np.int64)
    for label in choose_superpixels(coefficients, options):
        region = superpixels == label
        shown[region] = image[region]
        against = not options.has_one_sign and coefficients[label] < 0
        mask[region] = -1 if against else 1
        if not options.has_one_sign:
            shown[region, AGAINST if against else FOR] = image.max()
    return shown, mask
