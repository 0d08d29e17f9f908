"""How long it will still take, by what each kind of work took so far."""

import math
from collections import Counter
from collections.abc import Mapping


class Pace:
    """Time left: explainers differ by a factor of a thousand, so counting them says nothing.

    A kind of work that was not done yet is assumed to take as long as the mean of the other kinds;
    after the first image every kind was done.

    Args:
        remaining: How often each kind of work has to be done.
    """

    def __init__(self, remaining: Mapping[str, int]) -> None:
        self.remaining = Counter(remaining)
        self._seconds: Counter[str] = Counter()
        self._done: Counter[str] = Counter()

    def note(self, kind: str, seconds: float) -> None:
        """Notes that one piece of work is done."""
        self.remaining[kind] -= 1
        self._done[kind] += 1
        self._seconds[kind] += seconds  # pyright: ignore[reportArgumentType]  a Counter sums floats

    @property
    def seconds_left(self) -> float:
        """NaN as long as nothing was done."""
        if not self._done:
            return math.nan
        means = {kind: self._seconds[kind] / n for kind, n in self._done.items()}
        usual = sum(means.values()) / len(means)
        return sum(n * means.get(kind, usual) for kind, n in self.remaining.items())
