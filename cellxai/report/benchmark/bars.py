"""Where the bars of scores stand."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, nan

MIDDLE = 50.0


@dataclass(frozen=True)
class Scale:
    """The range of a metric over all explainers, on which its bars are drawn."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Where a value stands, in percent of the bar's width; NaN where it is none."""
        if not isfinite(value):
            return nan
        width = self.high - self.low
        return round(100 * (value - self.low) / width, 1) if width > 0 else MIDDLE


def scale_of(values: Iterable[float]) -> Scale:
    """The scale that holds all values that are numbers."""
    numbers = [value for value in values if isfinite(value)]
    return Scale(min(numbers), max(numbers)) if numbers else Scale(0.0, 1.0)
