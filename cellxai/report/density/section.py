"""Which images the classifier knows at all."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellxai.files.folder import RunFolder
from cellxai.report.density.detectors import Detectors, read_detectors
from cellxai.report.density.finding import ImageSet, describe_finding, make_card
from cellxai.report.density.threshold import Promise, read_promise
from cellxai.report.pieces import Card, Doubt, Picture, Section
from cellxai.report.saved_files import (
    attempt,
    dig,
    embed,
    embed_if_drawn,
    fill,
    p_by_view,
    read_json,
    read_rows,
)

N_UNUSUAL, N_USUAL = 3, 1  # of each set: the least and the most typical
SURPRISING = 0.05  # p-values that are marked
SHEET = "Sheet of the most and the least surprising images, each with its log p-value."
PICTURES = {
    "views": "Share of every set of images that surprises each view, and the share flagged.",
    "projection": "Images of every set along the two principal axes of the last features.",
    "selection": "The criteria of choice over the number of components and the covariance type.",
    "anomalies": "Unusual images, and which of their pixels make them so.",
    "clusters": "Images of each component of the mixture.",
    "generated": "Images drawn from the mixture, each above the most similar image of the fit.",
}


@dataclass(frozen=True)
class Unusual:
    """An image with the mean log p-value of the views that it surprises most, in nats."""

    set: str
    id: str
    label: str
    log_p: float
    view: str
    flagged: bool
    p_by_view: Mapping[str, float]

    @property
    def strange(self) -> frozenset[str]:
        """Views whose p-value is at most ``SURPRISING``."""
        return frozenset(view for view, p in self.p_by_view.items() if p <= SURPRISING)


@dataclass(frozen=True)
class Density:
    """What the template draws.

    Args:
        sets: One row per set of images.
        sentence: What was asked, what was found, and which view found it.
        card: The same for the top of the page.
        views: Names of the views, each with what it sees.
        calibration: What the thresholds promise, in words.
        warnings: Warnings of the fit.
        histogram: Log p-values of every set.
        extremes: The sheet of the most and the least typical images.
        promise: What the threshold does to unseen known images; ``None`` in old results.
        detectors: Others beside the density; ``None`` where there are none.
        pictures: The pictures that were drawn, by name in ``PICTURES``.
        unusual: The strangest images of each set, and the most typical.
        problems: Why something cannot be shown, one line each.
    """

    sets: tuple[ImageSet, ...]
    sentence: str
    card: Card | None
    views: tuple[tuple[str, str], ...]
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
        "images; the most surprised views decide, and images as rare as was asked for are flagged "
        "as unfamiliar. A flag says that the prediction rests on nothing seen before, not that it "
        "is wrong.",
        command,
    )
    return fill(empty, source, lambda: _read_density(folder, source), _make_cards, _find_doubts)


def _make_cards(density: Density) -> tuple[Card, ...]:
    return (density.card,) if density.card else ()


def _find_doubts(density: Density) -> tuple[Doubt, ...]:
    return tuple(Doubt(warning) for warning in density.warnings)


def _read_density(folder: RunFolder, source: Path) -> Density:
    saved = read_json(source)
    scores = folder.density / "scores.csv"
    unusual, problem = attempt(scores, lambda: _read_unusual(scores))
    nominal = float(saved["percent"])
    (promise, unkept), (detectors, unread) = read_promise(folder, nominal), read_detectors(folder)
    sets = tuple(
        _read_set(name, saved_set, saved["auroc"], saved["views"])
        for name, saved_set in saved["sets"].items()
    )
    problem = problem if scores.exists() else "density/scores.csv is missing"
    return Density(
        sets,
        describe_finding(sets, nominal / 100, promise),
        make_card(sets, nominal / 100, promise, len(saved["warnings"])),
        tuple((name, str(dig(view, "meaning") or "")) for name, view in saved["views"].items()),
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


def _read_histogram(folder: RunFolder, sets: tuple[str, ...]) -> Picture:
    alt = f"Histograms of the log p-value of {', '.join(sets)}; flagged images in colour."
    return embed(folder.root, folder.density / "histogram.png", alt)


def _read_pictures(folder: RunFolder) -> dict[str, Picture]:
    drawn = {
        name: embed_if_drawn(folder.root, folder.density / f"{name}.png", alt)
        for name, alt in PICTURES.items()
    }
    return {name: picture for name, picture in drawn.items() if picture is not None}


def _read_set(
    name: str, saved: Mapping[str, Any], auroc: Mapping[str, float], views: Mapping[str, Any]
) -> ImageSet:
    share, median = float(saved["share_flagged"]), float(saved["median"])
    area = float(auroc[name]) if name in auroc else None
    view = next(iter(saved["most_surprised"]), "")
    meaning = str(dig(views, view, "meaning") or "")
    return ImageSet(name, int(saved["n_images"]), share, median, area, view, meaning)


def _read_unusual(path: Path) -> tuple[Unusual, ...]:
    by_set: dict[str, list[Unusual]] = defaultdict(list)
    for row in read_rows(path):
        flagged = int(row["unfamiliar"]) == 1
        log_p, view = float(row["log_p"]), row["view"]
        p_of = dict(p_by_view(row))
        unusual = Unusual(row["set"], row["id"], row["label"], log_p, view, flagged, p_of)
        by_set[row["set"]].append(unusual)
    lowest = [sorted(images, key=lambda image: image.log_p) for images in by_set.values()]
    ends = [[*images[:N_UNUSUAL], *images[N_UNUSUAL:][-N_USUAL:]] for images in lowest]
    return tuple(image for images in ends for image in images)
