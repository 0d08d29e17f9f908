"""What the classifier looks at, image by image."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from cellxai.files.folder import RunFolder
from cellxai.report.explanations.browser_data import browser_data
from cellxai.report.explanations.stains import Stains, read_stains
from cellxai.report.pieces import Card, Doubt, Picture, Section
from cellxai.report.printed_numbers import percent
from cellxai.report.saved_files import MALFORMED, describe_error, dig, embed, fill, read_json

MOST_DRAWN = 3  # images whose drawn pictures are on the page where the browser has them all


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
        images: In the order of the index; after the first ``MOST_DRAWN``, only what the browser
            cannot show.
        browser: Every image and map as data for the script of the page; ``None`` without any.
        n_images: How many images were explained.
        n_left_out: Images whose drawn pictures are not embedded, for the browser has them.
        superpixels: How the superpixels were made.
        baseline: What replaced hidden pixels.
        stains: What each plane amounts to; None where planes have no names.
        statuses: Explainer, status and reason, of every image of the index that can be read.
    """

    images: tuple[ExplainedImage, ...]
    browser: Markup | None
    n_images: int
    n_left_out: int
    superpixels: str
    baseline: str
    stains: Stains | None = None
    statuses: tuple[tuple[str, str, str], ...] = ()


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
    return fill(
        empty, source, lambda: _read_explanations(folder, source), _make_cards, _find_doubts
    )


def _make_cards(explanations: Explanations) -> tuple[Card, ...]:
    names = {explainer.name for image in explanations.images for explainer in image.explainers}
    detail = f"compared on {explanations.n_images} images"
    return (Card("Explainers", str(len(names)), detail),)


def _find_doubts(explanations: Explanations) -> tuple[Doubt, ...]:
    """Explainers that are not what their name says, with the first reason given."""
    reasons: dict[str, str] = {}
    for name, status, reason in explanations.statuses:
        if status != "ok":
            reasons.setdefault(f"{name} is {status}", reason)
    return tuple(
        Doubt(f"{what} on this network: {reason or 'no reason was kept'}.")
        for what, reason in reasons.items()
    )


def _read_explanations(folder: RunFolder, source: Path) -> Explanations:
    saved = read_json(source)
    entries = saved["images"]
    browser = browser_data(folder, entries)
    shown = browser.ids if browser else frozenset()
    drawn = [
        entry
        for place, entry in enumerate(entries)
        if place < MOST_DRAWN or not isinstance(entry, dict) or str(entry.get("id")) not in shown
    ]
    return Explanations(
        tuple(_read_or_say_why(folder, entry) for entry in drawn),
        browser.script_data if browser else None,
        len(entries),
        len(entries) - len(drawn),
        _describe_setting(saved["superpixels"]),
        _describe_setting(saved["baseline"]),
        read_stains(saved.get("planes")),
        tuple(_statuses(entries)),
    )


def _statuses(entries: Sequence[Any]) -> Iterator[tuple[str, str, str]]:
    """What the index says of each explainer and image; a broken entry says nothing."""
    for entry in entries:
        rows = dig(entry, "explainers")
        for name, row in rows.items() if isinstance(rows, dict) else ():
            if isinstance(status := dig(row, "status"), str):
                yield name, status, str(dig(row, "reason") or "")


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
        "pairs": f"{name}: pairs of superpixels that together do more or less for {target}.",
        "stains": f"The planes of {name}, and below each what explainers say of it for {target}.",
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
