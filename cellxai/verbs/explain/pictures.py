"""The pictures of explained images: LIME's panels, the strip of all explainers, the grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from cellxai.adapters.explained_images import Subject
from cellxai.explain.base import Attribution, Context
from cellxai.figures.explanations.comparison import Comparison, draw_comparison
from cellxai.figures.explanations.grid import GridRow
from cellxai.figures.explanations.lime_mask import LimeMask
from cellxai.figures.explanations.lime_panels import LimePanels, draw_lime_panels
from cellxai.figures.explanations.pairs import PairPanels, draw_pairs
from cellxai.figures.explanations.stains import StainMaps, draw_stain_maps
from cellxai.figures.planes import as_rgb, draw_planes
from cellxai.verbs.explain.saved_maps import SavedMaps


@dataclass(frozen=True)
class Pictures:
    """What the pictures of one image are drawn from.

    Args:
        folder: Where they are written.
        subject: The image.
        context: Its superpixels.
        attributions: What each explainer answered.
        meanings: What the maps of each explainer say; empty for signed evidence.
        mask: What the picture of LIME shows in its second panel; None for the three strongest.
        planes: Names of the image's planes; none of grey and RGB.
    """

    folder: Path
    subject: Subject
    context: Context
    attributions: Mapping[str, Attribution]
    meanings: Mapping[str, str]
    mask: LimeMask | None = None
    planes: tuple[str, ...] = ()


def draw_pictures(pictures: Pictures, entry: Mapping[str, Any]) -> dict[str, str | None]:
    """Draws what belongs to one image; returns the names of the files for its entry."""
    folder, subject, attributions = pictures.folder, pictures.subject, pictures.attributions
    view = f", most surprised view: {entry['view']}" if entry["view"] else ""
    title = f"{describe_image(entry)}; explained: {entry['explained']}{view}"
    comparison = f"{subject.name}_comparison.png"
    strip = compare(
        subject, attributions, pictures.meanings, title, entry["explained"], pictures.planes
    )
    draw_comparison(strip, folder / comparison)
    drawn: dict[str, str | None] = {"comparison": comparison}
    if pictures.planes:
        drawn["planes"] = f"{subject.name}_planes.png"
        image = planes_last(subject.image[0])
        draw_planes(image, pictures.planes, folder / drawn["planes"], describe_image(entry))
        drawn |= draw_stains(pictures, entry, title)
    drawn |= draw_first_pairs(pictures, entry, title)
    surrogate = first_surrogate(attributions)
    lime = f"{subject.name}_lime.png"
    if surrogate is None:
        (folder / lime).unlink(missing_ok=True)  # of other explainers, which were asked before
        return {"lime": None, **drawn}
    method, coefficients = surrogate
    panels = LimePanels(
        picture_of(subject, pictures.planes), pictures.context.superpixels[0].cpu().numpy(),
        coefficients, f"{method} on {title}",
    )  # fmt: skip
    draw_lime_panels(panels, folder / lime, pictures.mask)
    return {"lime": lime, **drawn}


def draw_stains(pictures: Pictures, entry: Mapping[str, Any], title: str) -> dict[str, str | None]:
    """Draws the maps by plane; none of images whose planes have no names."""
    maps = {
        name: attribution.plane_values[0].detach().cpu().numpy()
        for name, attribution in pictures.attributions.items()
        if attribution.plane_values is not None and attribution.status != "unsupported"
    }
    if not pictures.planes or not maps:
        return {}
    cause = pictures.subject.truth.get("cause")
    stains = StainMaps(
        title,
        pictures.planes,
        planes_last(pictures.subject.image[0]),
        maps,
        {name: entry["explainers"][name]["planes"]["shares"] for name in maps},
        None if cause is None or cause.dim() == 2 else cause.cpu().numpy(),
        entry["explained"],
        pictures.meanings,
    )
    name = f"{pictures.subject.name}_stains.png"
    draw_stain_maps(stains, pictures.folder / name)
    return {"stains": name}


def draw_first_pairs(
    pictures: Pictures, entry: Mapping[str, Any], title: str
) -> dict[str, str | None]:
    """Draws the pairs of superpixels of the first explainer that gives them; none without one."""
    name = f"{pictures.subject.name}_pairs.png"
    for method, attribution in pictures.attributions.items():
        if attribution.superpixel_pairs is None or attribution.superpixel_values is None:
            continue
        image = picture_of(pictures.subject, pictures.planes)
        superpixels = pictures.context.superpixels[0].cpu().numpy()
        values, pairs = attribution.superpixel_values[0], attribution.superpixel_pairs[0]
        values, pairs = (part.detach().cpu().double().numpy() for part in (values, pairs))
        panels = PairPanels(
            image, superpixels, values, pairs, f"{method} on {title}", entry["explained"]
        )
        draw_pairs(panels, pictures.folder / name)
        return {"pairs": name}
    (pictures.folder / name).unlink(missing_ok=True)  # of other explainers, asked before
    return {}


def picture_of(subject: Subject, planes: Sequence[str] = ()) -> Float[np.ndarray, "h w 3"]:
    """The image as a picture takes it: colours last, a composite where planes have names."""
    return as_rgb(planes_last(subject.image[0]), planes)


def planes_last(image: Float[Tensor, "p h w"]) -> Float[np.ndarray, "h w p"]:
    """The planes of an image as the last axis."""
    return image.permute(1, 2, 0).cpu().numpy()


def compare(
    subject: Subject,
    attributions: Mapping[str, Attribution],
    meanings: Mapping[str, str],
    title: str,
    score: str,
    planes: Sequence[str] = (),
) -> Comparison:
    """The strip of one image: its maps, what each cost, and the regions that are known of it.

    Args:
        subject: The image.
        attributions: What each explainer answered.
        meanings: What the maps of each explainer say; empty for signed evidence.
        title: Which image, which class.
        score: What is explained, in words.
        planes: Names of the image's planes; none of grey and RGB.
    """
    regions = {
        name: (mask if mask.dim() == 2 else mask.any(0)).cpu().numpy()
        for name, mask in subject.truth.items()
    }
    maps = {
        name: attribution.values[0].detach().cpu().numpy()
        for name, attribution in attributions.items()
        if attribution.status != "unsupported"
    }
    notes = {
        name: "; ".join(filter(None, [meanings.get(name, ""), describe_cost(attribution)]))
        for name, attribution in attributions.items()
    }
    return Comparison(
        title, picture_of(subject, planes), maps, notes, regions.get("cells"),
        regions.get("cause"), score, meanings,
    )  # fmt: skip


def describe_image(entry: Mapping[str, Any]) -> str:
    """An image in words: its id, its label if it has one, what the network says."""
    label = f"{entry['label']}, " if entry["label"] else ""
    return f"{entry['id']}: {label}predicted {entry['predicted']} ({entry['probability']:.2f})"


def grid_row(saved: SavedMaps) -> GridRow:
    """One image with its maps, as the grid of classes and methods shows it."""
    entry = saved.entry
    maps = {name: values.numpy() for name, values in saved.maps.items()}
    statuses = {name: explainer["status"] for name, explainer in entry["explainers"].items()}
    prediction = f"→ {entry['predicted']} ({entry['probability']:.2f})"
    return GridRow(
        f"{entry['label'] or entry['id']}\n{prediction}",
        as_rgb(planes_last(saved.tensors["image"]), entry.get("plane_names", ())),
        {name: maps[name] for name in statuses},
        statuses,
    )


def first_surrogate(
    attributions: Mapping[str, Attribution],
) -> tuple[str, Float[np.ndarray, " s"]] | None:
    """Name and coefficients of the first explainer that fits a surrogate to superpixels."""
    for name, attribution in attributions.items():
        if attribution.surrogate_r2 is not None and attribution.superpixel_values is not None:
            return name, attribution.superpixel_values[0].detach().cpu().numpy()
    return None


def describe_cost(attribution: Attribution) -> str:
    """The line under a map: what it cost, and its status unless that is ``ok``."""
    cost = f"{attribution.cost.forwards} forwards, {attribution.cost.seconds:.1f} s"
    return cost if attribution.status == "ok" else f"{attribution.status}; {cost}"
