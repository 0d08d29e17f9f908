"""What the classifier looks at, image by image."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellxai.files.folder import RunFolder
from cellxai.report.pieces import Card, Picture, Section
from cellxai.report.printed_numbers import percent
from cellxai.report.saved_files import MALFORMED, describe_error, embed, fill, read_json


@dataclass(frozen=True)
class ExplainerCost:
    """One explainer on one image: images through the model, seconds, and whether it applies."""

    name: str
    status: str
    reason: str
    forwards: int
    backwards: int
    seconds: float
    surrogate_r2: float | None


@dataclass(frozen=True)
class ExplainedImage:
    """One image with its pictures.

    Args:
        title: Its id.
        summary: Label, prediction and explained class, in words.
        right: Whether prediction and label agree.
        pictures: The panels of LIME, and the strip of all explainers.
        explainers: One row each.
        problem: Why the image cannot be shown.
    """

    title: str
    summary: str = ""
    right: bool = True
    pictures: tuple[Picture, ...] = ()
    explainers: tuple[ExplainerCost, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Explanations:
    """What the template draws.

    Args:
        images: In the order of the index.
        superpixels: How the superpixels were made.
        baseline: What replaced hidden pixels.
    """

    images: tuple[ExplainedImage, ...]
    superpixels: str
    baseline: str


def explanation_section(folder: RunFolder, command: str) -> Section:
    """LIME's three panels, the comparison strip and the costs, for each image."""
    source = folder.explain / "index.json"
    empty = Section(
        "explanations",
        "Explanations: what is it looking at?",
        "Green pixels speak for the explained class and orange ones against it, as each method "
        "sees it. A map shows what moves this network's output, which need not be what a "
        "biologist would point at; where methods disagree, at least one of them misleads.",
        command,
    )
    return fill(empty, source, lambda: _read_explanations(folder, source), _make_cards)


def _make_cards(explanations: Explanations) -> tuple[Card, ...]:
    names = {explainer.name for image in explanations.images for explainer in image.explainers}
    detail = f"compared on {len(explanations.images)} images"
    return (Card("Explainers", str(len(names)), detail),)


def _read_explanations(folder: RunFolder, source: Path) -> Explanations:
    saved = read_json(source)
    images = tuple(_read_or_say_why(folder, entry) for entry in saved["images"])
    return Explanations(
        images, _describe_setting(saved["superpixels"]), _describe_setting(saved["baseline"])
    )


def _describe_setting(setting: Any) -> str:
    if not isinstance(setting, dict):
        return str(setting)
    return ", ".join(f"{name}: {value}" for name, value in setting.items())


def _read_or_say_why(folder: RunFolder, entry: Any) -> ExplainedImage:
    """One broken entry must not hide the images beside it."""
    try:
        return _read_image(folder, entry)
    except MALFORMED as error:
        name = str(entry.get("id", "image")) if isinstance(entry, dict) else "image"
        return ExplainedImage(name, problem=f"cannot be shown ({describe_error(error)})")


def _read_image(folder: RunFolder, entry: Mapping[str, Any]) -> ExplainedImage:
    name, target = str(entry["id"]), str(entry["target"])
    texts = {
        "planes": f"{name}: the composite of its planes, then each plane by itself.",
        "lime": f"LIME on {name}: original, strongest superpixels for {target}, both signs.",
        "comparison": f"{name} and the map of every explainer for {target}.",
    }
    pictures = [
        embed(folder.root, folder.explain / str(entry[key]), text)
        for key, text in texts.items()
        if entry.get(key)
    ]
    return ExplainedImage(
        name,
        _summary(entry),
        entry["label"] in (None, entry["predicted"]),
        tuple(pictures),
        tuple(_read_cost(key, cost) for key, cost in entry["explainers"].items()),
    )


def _summary(entry: Mapping[str, Any]) -> str:
    """Label, prediction, what was explained, and how much less likely the baseline is."""
    label = f"labelled {entry['label']}, " if entry["label"] else ""
    prediction = (
        f"predicted {entry['predicted']} with probability {percent(float(entry['probability']))}"
    )
    explained = entry.get("explained") or f"class {entry['target']}"
    view = f", most surprised view: {entry['view']}" if entry.get("view") else ""
    summary = f"{label}{prediction}; explained: {explained}{view}; {entry['part']} image"
    nats = entry.get("baseline_off_data_nats")
    if nats is None:
        return summary
    less_or_more = "less" if nats >= 0 else "more"
    return f"{summary}; its baseline is {abs(nats):.1f} nats {less_or_more} likely than it is"


def _read_cost(name: str, saved: Mapping[str, Any]) -> ExplainerCost:
    r2 = saved.get("surrogate_r2")
    return ExplainerCost(
        name,
        str(saved["status"]),
        str(saved.get("reason") or ""),
        int(saved["forwards"]),
        int(saved["backwards"]),
        float(saved["seconds"]),
        None if r2 is None else float(r2),
    )
