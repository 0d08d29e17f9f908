"""A benchmark under a bar that says how long it will still take."""

import math
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from cellxai.explain.benchmark import Progress


def watch(steps: Iterable[Progress], path: Path) -> int:
    """Runs a benchmark to its end; returns how many attributions it made.

    Args:
        steps: The benchmark.
        path: Where its results go.

    Raises:
        KeyboardInterrupt: If the user stops it; says what is there and how to go on.
    """
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    left = TextColumn("{task.fields[left]}")
    step = None
    try:
        with Bar(*columns, left, console=console, disable=not console.is_terminal,
                 transient=True) as bar:  # fmt: skip
            task = bar.add_task("measuring explainers", total=None, left="")
            for step in steps:
                bar.update(
                    task, completed=step.done, total=step.total, description=step.explainer,
                    left=f"{format_duration(step.seconds_left)} left",
                )  # fmt: skip
    except KeyboardInterrupt:
        done = "nothing was" if step is None else f"{step.done} of {step.total} attributions were"
        raise KeyboardInterrupt(
            f"{done} added to {path}; the same command again computes the rest"
        ) from None
    return 0 if step is None else step.done


def format_duration(seconds: float) -> str:
    """A time with one unit and a half: ``45 s``, ``12 min``, ``3 h 20 min``, ``2 d 5 h``."""
    if math.isnan(seconds):
        return "unknown time"
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def tell(line: str) -> None:
    """A line on standard error, below which the bar goes on."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(line, markup=False)
