"""An explained image with all its maps, as a figure; shown wherever Python runs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from torch import Tensor

from cellxai.explain.my_model.explanation import Explanation
from cellxai.figures.explanations.comparison import Comparison, comparison_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_of(entries: Sequence[Explanation], class_name: str) -> "Figure":
    """One image, then the map of each explainer with its status and cost.

    Args:
        entries: What all explainers say of the image.
        class_name: Name of the explained class.
    """
    subject = entries[0].subject
    title = f"{subject.name}; explained: {class_name}"
    if subject.probability is not None:
        title = f"{subject.name}: predicted {class_name} ({subject.probability:.2f})"
    maps = {
        entry.explainer: entry.map.double().numpy()
        for entry in entries
        if entry.status in ("ok", "degraded")
    }
    meanings = {entry.explainer: entry.meaning for entry in entries}
    notes = {entry.explainer: note_of(entry) for entry in entries}
    picture = rgb(subject.image)
    return comparison_figure(
        Comparison(title, picture, maps, notes, score=f"score of {class_name}", meanings=meanings)
    )


def note_of(entry: Explanation) -> str:
    """The line under a map: what it means, its status, how certain it is, and what it cost."""
    cost = f"{entry.cost.forwards} forwards, {entry.cost.seconds:.1f} s"
    fit = None if entry.surrogate_r2 is None else f"R² {entry.surrogate_r2:.2f}"
    status = "" if entry.status == "ok" else entry.status
    return "; ".join(filter(None, [status, entry.meaning, fit, cost]))


def rgb(image: Float[Tensor, "c h w"]) -> Float[np.ndarray, "h w 3"]:
    """The image for the eye: RGB as it is, any other number of planes as their mean in grey."""
    shown = image if len(image) == 3 else image.mean(0, keepdim=True).expand(3, -1, -1)
    return shown.nan_to_num(0.0).movedim(0, -1).cpu().double().numpy()
