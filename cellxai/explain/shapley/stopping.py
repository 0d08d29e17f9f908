"""When Shapley values are certain enough: the stop at an asked error."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StopAtError:
    """Ends sampling when the values are close enough to those of all coalitions.

    After each round the bound of the relative error, ‖values − exact‖ / ‖exact‖ over superpixels,
    is estimated from the residuals. Sampling ends once it is low enough for every class asked for.
    It is looked at several times, each time with the confidence asked for;
    ``scripts/bench_shapley.py`` measures how often the error is what was asked for.

    Args:
        error: Relative error at which sampling ends, above 0.
        confidence: How often the bound of the error is to hold, in (0, 1).
    """

    error: float = 0.1
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not self.error > 0:
            raise ValueError(f"error={self.error} is never reached; pass error>0")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence={self.confidence}: expected a number between 0 and 1")
