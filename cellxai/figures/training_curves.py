"""Training curves: loss and accuracy by epoch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cellxai.classifier.monitor import higher_is_better
from cellxai.figures.colours import BLUE, GREY, INK, VERMILLION
from cellxai.figures.style import drawing

PARTS = {"train": BLUE, "validation": VERMILLION}


def column(rows: Sequence[dict[str, str]], name: str) -> Float[np.ndarray, " n"]:
    """The numbers of one column, NaN where a row has none."""
    return np.array([float(row.get(name) or "nan") for row in rows])


def best_epoch(rows: Sequence[dict[str, str]], monitor: str = "validation_loss") -> int | None:
    """Index of the first row that is best by a column; ``None`` where nothing was validated."""
    values = column(rows, monitor)
    if np.isnan(values).all():
        return None
    return int(np.nanargmax(values) if higher_is_better(monitor) else np.nanargmin(values))


def draw_curves(
    metrics_rows: list[dict[str, str]], path: Path, monitor: str = "validation_loss"
) -> None:
    """Draws loss and accuracy side by side, with the epoch marked that is best by the monitor.

    Args:
        metrics_rows: One row per epoch, as read from ``metrics.csv``; the validation columns may be
            absent or empty.
        path: The PNG to write.
        monitor: The column that says which epoch is the best.

    Raises:
        ValueError: If there is no row.
    """
    if not metrics_rows:
        raise ValueError(f"{path}: no epoch to draw, expected at least one row; train first")
    with drawing(path, 9.6, 3.6) as figure:
        loss, accuracy = figure.subplots(1, 2)
        _panel(loss, metrics_rows, "loss", "Loss (cross-entropy, nats)", monitor)
        _panel(accuracy, metrics_rows, "accuracy", "Accuracy", monitor)
        accuracy.set_ylim(-0.02, 1.04)
        accuracy.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _panel(axes: Axes, rows: list[dict[str, str]], quantity: str, title: str, monitor: str) -> None:
    epochs = column(rows, "epoch")
    for part, colour in PARTS.items():
        values = column(rows, f"{part}_{quantity}")
        if not np.isnan(values).all():
            axes.plot(epochs, values, color=colour, label=part, marker="o", markersize=3)
    axes.set(title=title, xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _mark_best(
        axes, best_epoch(rows, monitor), column(rows, f"validation_{quantity}"), epochs, monitor
    )
    if axes.get_legend_handles_labels()[0]:
        axes.legend()


def _mark_best(
    axes: Axes,
    best: int | None,
    values: Float[np.ndarray, " n"],
    epochs: Float[np.ndarray, " n"],
    monitor: str,
) -> None:
    if best is None or np.isnan(values[best]):
        return
    extreme = "highest" if higher_is_better(monitor) else "lowest"
    label = f"epoch {epochs[best]:.0f}, {extreme} {monitor.replace('_', ' ')}"
    axes.axvline(epochs[best], color=GREY, linewidth=1, linestyle=":", zorder=1)
    ring = {"markersize": 9, "markerfacecolor": "none", "markeredgecolor": INK}
    axes.plot(epochs[best], values[best], "o", linestyle="none", label=label, **ring)
