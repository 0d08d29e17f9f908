"""The pictures of explained images: LIME's panels, the strip of all explainers, the grid."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from cellxai.adapters.explained_images import Subject
from cellxai.explain.base import Attribution, Context
from cellxai.figures.explanation_grid import GridRow
from cellxai.figures.explanations import draw_comparison, draw_lime_panels
from cellxai.verbs.explain.maps import Saved


def draw_pictures(
    folder: Path,
    subject: Subject,
    context: Context,
    found: Mapping[str, Attribution],
    entry: Mapping[str, Any],
) -> dict[str, str | None]:
    """Draws what belongs to one image; returns the names of the files for its entry."""
    name = subject.record.id
    title = f"{title_of(entry)}; explained: {entry['explained']}"
    image = subject.image[0].permute(1, 2, 0).cpu().numpy()
    surrogate = first_surrogate(found)
    lime = None
    if surrogate is not None:
        lime, (method, coefficients) = f"{name}_lime.png", surrogate
        superpixels = context.superpixels[0].cpu().numpy()
        draw_lime_panels(image, superpixels, coefficients, folder / lime, f"{method} on {title}")
    regions = {region: mask.cpu().numpy() for region, mask in subject.truth.items()}
    comparison = f"{name}_comparison.png"
    draw_comparison(
        image,
        {
            method: one.values[0].detach().cpu().numpy()
            for method, one in found.items()
            if one.status != "unsupported"
        },
        folder / comparison,
        title,
        cause=regions.get("cause"),
        mask=regions.get("cells"),
        notes={method: cost_in_words(one) for method, one in found.items()},
        score=entry["explained"],
    )
    return {"lime": lime, "comparison": comparison}


def title_of(entry: Mapping[str, Any]) -> str:
    """An image in words: its id, its label if it has one, what the network says."""
    label = f"{entry['label']}, " if entry["label"] else ""
    return f"{entry['id']}: {label}predicted {entry['predicted']} ({entry['probability']:.2f})"


def grid_row(saved: Saved) -> GridRow:
    """One image with its maps, as the grid of classes and methods shows it."""
    entry = saved.entry
    maps = {name: values.numpy() for name, values in saved.maps.items()}
    statuses = {name: one["status"] for name, one in entry["explainers"].items()}
    says = f"→ {entry['predicted']} ({entry['probability']:.2f})"
    return GridRow(
        f"{entry['label'] or entry['id']}\n{says}",
        saved.tensors["image"].permute(1, 2, 0).numpy(),
        {name: maps[name] for name in statuses},
        statuses,
    )


def first_surrogate(
    found: Mapping[str, Attribution],
) -> tuple[str, Float[np.ndarray, " s"]] | None:
    """Name and coefficients of the first explainer that fits a surrogate to superpixels."""
    for name, one in found.items():
        if one.surrogate_r2 is not None and one.superpixel_values is not None:
            return name, one.superpixel_values[0].detach().cpu().numpy()
    return None


def cost_in_words(one: Attribution) -> str:
    """The line under a map."""
    cost = f"{one.cost.forwards} forwards, {one.cost.seconds:.1f} s"
    return cost if one.status == "ok" else f"{one.status}; {cost}"
