"""Which images the classifier knows at all."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellxai.files.folder import RunFolder
from cellxai.report.density.detectors import Detectors, read_detectors
from cellxai.report.density.threshold import Promise, read_promise
from cellxai.report.pieces import Card, Picture, Section
from cellxai.report.printed_numbers import percent
from cellxai.report.saved_files import attempt, embed, embed_if_drawn, fill, read_json, read_rows

N_UNUSUAL = 3  # of each set
MOST_NAMED = 3  # sets in a sentence
MOST_TRUSTED = ("test", "out of fold", "validation")
SHEET = "Sheet of the most and the least surprising images, each with its log p-value."
PICTURES = {
    "projection": "Images of every set along the two principal axes of the last features.",
    "selection": "The criteria of choice over the number of components and the covariance type.",
    "anomalies": "Unusual images, and which of their pixels make them so.",
    "clusters": "Images of each component of the mixture.",
    "generated": "Images drawn from the mixture, each above the most similar image of the fit.",
}


@dataclass(frozen=True)
class ImageSet:
    """One set of images; ``median`` in nats, shares in [0, 1], ``view`` surprised most often."""

    name: str
    n_images: int
    share_flagged: float
    median: float
    auroc: float | None
    view: str


@dataclass(frozen=True)
class Unusual:
    """An image with the log p-value of the view that it surprises most, in nats."""

    set: str
    id: str
    label: str
    log_p: float
    view: str
    flagged: bool


@dataclass(frozen=True)
class Density:
    """What the template draws.

    Args:
        sets: One row per set of images.
        sentences: What the figures say.
        views: What was looked at, in words.
        calibration: What the thresholds promise, in words.
        warnings: Warnings of the fit.
        histogram: Log p-values of every set.
        extremes: The sheet of the most and the least typical images.
        promise: What the threshold does to unseen known images; ``None`` in old results.
        detectors: Others beside the density; ``None`` where there are none.
        pictures: The pictures that were drawn, by name in ``PICTURES``.
        unusual: The ``N_UNUSUAL`` images that are strangest in each set.
        problems: Why something cannot be shown, one line each.
    """

    sets: tuple[ImageSet, ...]
    sentences: tuple[str, ...]
    views: str
    calibration: str
    warnings: tuple[str, ...]
    histogram: Picture
    extremes: Picture
    promise: Promise | None
    detectors: Detectors | None
    pictures: Mapping[str, Picture]
    unusual: tuple[Unusual, ...]
    problems: tuple[str, ...]


def density_section(folder: RunFolder, command: str) -> Section:
    """Threshold, share flagged per set, other detectors, and the most unusual images."""
    source = folder.density / "summary.json"
    empty = Section(
        "density",
        "Density: does the model know this image?",
        "Every depth of the network, and the pixels, say how surprising an image is beside known "
        "images; the most surprised view decides, and images as rare as was asked for are flagged "
        "as unfamiliar. A flag says that the prediction rests on nothing seen before, not that it "
        "is wrong.",
        command,
    )
    return fill(empty, source, lambda: _read_density(folder, source), _make_cards)


def _make_cards(density: Density) -> tuple[Card, ...]:
    if not density.sets:
        return ()
    shown, others = _known_and_others(density.sets)
    parts = [f"of {shown.name} images", *_flagged_shares(others)]
    return (Card("Unfamiliar", percent(shown.share_flagged), "; ".join(parts)),)


def _flagged_shares(sets: list[ImageSet]) -> list[str]:
    """``58.3 % of other objective`` for the first sets."""
    shown = sets[:MOST_NAMED]
    return [f"{percent(image_set.share_flagged)} of {image_set.name}" for image_set in shown]


def _known_and_others(sets: tuple[ImageSet, ...]) -> tuple[ImageSet, list[ImageSet]]:
    """The known images that say most, and the sets that should not be known."""
    by_name = {image_set.name: image_set for image_set in sets}
    shown = next((by_name[name] for name in MOST_TRUSTED if name in by_name), sets[0])
    known = {"train", *MOST_TRUSTED, shown.name}
    return shown, [image_set for image_set in sets if image_set.name not in known]


def _read_density(folder: RunFolder, source: Path) -> Density:
    saved = read_json(source)
    scores = folder.density / "scores.csv"
    unusual, problem = attempt(scores, lambda: _read_unusual(scores))
    nominal = float(saved["percent"])
    (promise, unkept), (detectors, unread) = read_promise(folder, nominal), read_detectors(folder)
    sets = tuple(
        _read_set(name, saved_set, saved["auroc"]) for name, saved_set in saved["sets"].items()
    )
    problem = problem if scores.exists() else "density/scores.csv is missing"
    return Density(
        sets,
        (*_sentences(sets), *([promise.verdict] if promise else ())),
        ", ".join(map(str, saved["views"])),
        "; ".join(str(promised["line"]) for promised in saved["promises"]),
        tuple(map(str, saved["warnings"])),
        _read_histogram(folder, tuple(map(str, saved["sets"]))),
        embed(folder.root, folder.density / "extremes.png", SHEET),
        promise,
        detectors,
        _read_pictures(folder),
        unusual or (),
        tuple(line for line in (unkept, unread, problem) if line),
    )


def _sentences(sets: tuple[ImageSet, ...]) -> tuple[str, ...]:
    """What is flagged in each set, and which view most images of others surprise."""
    if not sets:
        return ()
    shown, others = _known_and_others(sets)
    parts = _flagged_shares(others)
    known = f"{percent(shown.share_flagged)} of {shown.n_images} {shown.name} images are flagged"
    n_more = len(others) - MOST_NAMED
    more = f" ({n_more} more sets in the table)" if n_more > 0 else ""
    first = f"{known}, and {', '.join(parts)}{more}." if parts else f"{known}."
    found = [f"{image_set.name} by {image_set.view}" for image_set in others[:MOST_NAMED]]
    return (first, f"Found: {', '.join(found)}.") if found else (first,)


def _read_histogram(folder: RunFolder, sets: tuple[str, ...]) -> Picture:
    alt = f"Histograms of the log p-value of {', '.join(sets)}, with the threshold."
    return embed(folder.root, folder.density / "histogram.png", alt)


def _read_pictures(folder: RunFolder) -> dict[str, Picture]:
    drawn = {
        name: embed_if_drawn(folder.root, folder.density / f"{name}.png", alt)
        for name, alt in PICTURES.items()
    }
    return {name: picture for name, picture in drawn.items() if picture is not None}


def _read_set(name: str, saved: Mapping[str, Any], auroc: Mapping[str, float]) -> ImageSet:
    share, median = float(saved["share_flagged"]), float(saved["median"])
    area = float(auroc[name]) if name in auroc else None
    view = next(iter(saved["most_surprised"]), "")
    return ImageSet(name, int(saved["n_images"]), share, median, area, view)


def _read_unusual(path: Path) -> tuple[Unusual, ...]:
    by_set: dict[str, list[Unusual]] = defaultdict(list)
    for row in read_rows(path):
        flagged = int(row["unfamiliar"]) == 1
        log_p, view = float(row["log_p"]), row["view"]
        unusual = Unusual(row["set"], row["id"], row["label"], log_p, view, flagged)
        by_set[row["set"]].append(unusual)
    lowest = [sorted(images, key=lambda image: image.log_p) for images in by_set.values()]
    return tuple(image for images in lowest for image in images[:N_UNUSUAL])
