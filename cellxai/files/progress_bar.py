"""How far long work has come: a bar on a terminal, nothing in a log."""

from collections.abc import Iterable, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def progress(
    items: Iterable[T], doing: str, total: int | None = None, at_least: int = 1
) -> Iterable[T]:
    """The items as they come, with a bar on standard error while they are worked on.

    Args:
        items: What is worked on.
        doing: Text before the bar.
        total: How many items there are; ``None`` asks the items, which may not know.
        at_least: Fewer items than this are not worth a bar.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    console = Console(stderr=True)
    hidden = not console.is_terminal or (total is not None and total < at_least)
    return track(items, doing, total, console=console, disable=hidden, transient=True)
