"""Intervals as files keep them, those of older versions too."""

from typing import Any

from cellxai.intervals.level import Interval


def read_interval(saved: Any) -> Interval | None:
    """Both ends of a saved interval; ``None`` where there is none.

    Args:
        saved: A pair. Older files have pairs by the name of their method; Wilson's of an accuracy
            counts, not the bootstrap beside it.
    """
    if isinstance(saved, dict):
        saved = saved.get("wilson", saved.get("bootstrap"))
    if saved is None:
        return None
    low, high = saved
    return float(low), float(high)
