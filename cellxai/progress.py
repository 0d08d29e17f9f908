"""How far long work is: a bar on a terminal, nothing in a log."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def progress(items: Sequence[T], doing: str) -> Iterable[T]:
    """The items, with a bar on standard error while they are worked on."""
    console = Console(stderr=True)
    return track(items, doing, console=console, disable=not console.is_terminal, transient=True)
