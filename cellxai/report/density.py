"""Section about which images the classifier knows at all."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellxai.files.folder import RunFolder
from cellxai.report.detectors import Detectors, read_detectors
from cellxai.report.numbers import nats, percent
from cellxai.report.reading import (
    Card,
    Picture,
    Section,
    attempt,
    embed,
    embed_if_drawn,
    read_json,
    read_rows,
)
from cellxai.report.threshold import Promise, read_promise

N_UNUSUAL = 3  # of each set
MOST_NAMED = 3  # sets in a sentence
MOST_TRUSTED = ("test", "out of fold", "validation")
SHEET = "Sheet of the images at the ends of the log-density, each with its score."
PICTURES = {
    "gap": "Which share of the images of the fit, and of unseen ones, scores below a log-density.",
    "projection": "Images of every set in two dimensions, over the contours of the mixture.",
    "selection": "The criteria of choice over the number of components and the covariance type.",
    "anomalies": "Unusual images, and which of their pixels make them so.",
    "clusters": "Images of each component of the mixture.",
    "generated": "Images drawn from the mixture, over the most alike image of the fit.",
}


@dataclass(frozen=True)
class ImageSet:
    """One set of images; ``median`` in nats, the shares in [0, 1]."""

    name: str
    n_images: int
    share_flagged: float
    median: float
    auroc: float | None


@dataclass(frozen=True)
class Unusual:
    """An image of low log-density, in nats."""

    set: str
    id: str
    label: str
    log_density: float
    flagged: bool


@dataclass(frozen=True)
class Density:
    """What the template draws.

    Args:
        sets: One row per set of images.
        told: What was found, in sentences.
        mixture: What was fitted, in words.
        threshold: In nats; ``None`` where too few images were held out to set one.
        calibration: How the threshold was chosen, in words.
        warnings: As the fit gave them.
        histogram: The picture.
        extremes: The sheet of the most and the least typical images.
        promise: What the threshold does to unseen known images; ``None`` in old results.
        detectors: Others beside the density; ``None`` where there are none.
        pictures: By name in ``PICTURES``, those that were drawn.
        unusual: The ``N_UNUSUAL`` images of lowest log-density of each set.
        problems: Why something cannot be shown, one line each.
    """

    sets: tuple[ImageSet, ...]
    told: tuple[str, ...]
    mixture: str
    threshold: float | None
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
    found, problem = attempt(source, lambda: _read_density(folder, source))
    return Section(
        "density",
        "Density: does the model know this image?",
        "A Gaussian mixture learnt where the network's features of known images lie; an image of "
        "lower log-density than the threshold is flagged as unfamiliar. A flag says that the "
        "prediction rests on nothing seen before, not that it is wrong.",
        command,
        found,
        problem,
        () if found is None or not found.sets else (_card(found.sets),),
    )


def _card(sets: tuple[ImageSet, ...]) -> Card:
    shown, others = _known_and_others(sets)
    shares = "".join(f"; {percent(one.share_flagged)} of {one.name}" for one in others[:MOST_NAMED])
    return Card("Unfamiliar", percent(shown.share_flagged), f"of {shown.name} images{shares}")


def _known_and_others(sets: tuple[ImageSet, ...]) -> tuple[ImageSet, list[ImageSet]]:
    """The known images that say most, and the sets that should not be known."""
    by_name = {found.name: found for found in sets}
    shown = next((by_name[name] for name in MOST_TRUSTED if name in by_name), sets[0])
    known = {"train", *MOST_TRUSTED, shown.name}
    return shown, [found for found in sets if found.name not in known]


def _read_density(folder: RunFolder, source: Path) -> Density:
    saved = read_json(source)
    scores = folder.density / "scores.csv"
    unusual, problem = attempt(scores, lambda: _read_unusual(scores))
    nominal = float(saved["percent"])
    (promise, unkept), (detectors, unread) = read_promise(folder, nominal), read_detectors(folder)
    sets = tuple(_read_set(name, one, saved["auroc"]) for name, one in saved["sets"].items())
    problem = problem if scores.exists() else "density/scores.csv is missing"
    return Density(
        sets,
        (*_sentences(sets, saved.get("gap_nats")), *([promise.verdict] if promise else ())),
        _mixture(saved),
        None if saved["threshold_nats"] is None else float(saved["threshold_nats"]),
        f"the {nominal:g} % quantile of {int(saved['n_calibration'])} "
        f"{saved['calibrated_on']} images",
        tuple(map(str, saved["warnings"])),
        _histogram(folder, tuple(map(str, saved["sets"]))),
        embed(folder.root, folder.density / "extremes.png", SHEET),
        promise,
        detectors,
        _pictures(folder),
        unusual or (),
        tuple(line for line in (unkept, unread, problem) if line),
    )


def _sentences(sets: tuple[ImageSet, ...], gap: float | None) -> tuple[str, ...]:
    """What was found of the sets, and how much of it is memory."""
    if not sets:
        return ()
    shown, others = _known_and_others(sets)
    parts = [f"{percent(one.share_flagged)} of {one.name}" for one in others[:MOST_NAMED]]
    told = f"{percent(shown.share_flagged)} of {shown.n_images} {shown.name} images are flagged"
    n_more = len(others) - MOST_NAMED
    more = f" ({n_more} more sets in the table)" if n_more > 0 else ""
    first = f"{told}, and {', '.join(parts)}{more}." if parts else f"{told}."
    if gap is None:
        return (first,)
    where = "above" if gap >= 0 else "below"
    return first, f"Images of the fit score {nats(abs(gap))} nats {where} unseen ones (medians)."


def _mixture(saved: Mapping[str, Any]) -> str:
    n_components, n_mixtures = int(saved["n_components"]), int(saved.get("n_mixtures", 1))
    described = (
        f"{n_components} component{'s' * (n_components != 1)}, {saved['covariance_type']} "
        f"covariance, {int(saved['n_dimensions'])} dimensions"
    )
    return described if n_mixtures == 1 else f"{n_mixtures} mixtures, the first of {described}"


def _histogram(folder: RunFolder, sets: tuple[str, ...]) -> Picture:
    alt = f"Histograms of the log-density of {', '.join(sets)}, with the threshold."
    return embed(folder.root, folder.density / "histogram.png", alt)


def _pictures(folder: RunFolder) -> dict[str, Picture]:
    drawn = {
        name: embed_if_drawn(folder.root, folder.density / f"{name}.png", alt)
        for name, alt in PICTURES.items()
    }
    return {name: picture for name, picture in drawn.items() if picture is not None}


def _read_set(name: str, saved: Mapping[str, Any], auroc: Mapping[str, float]) -> ImageSet:
    share, median = float(saved["share_flagged"]), float(saved["median"])
    area = float(auroc[name]) if name in auroc else None
    return ImageSet(name, int(saved["n_images"]), share, median, area)


def _read_unusual(path: Path) -> tuple[Unusual, ...]:
    by_set: dict[str, list[Unusual]] = defaultdict(list)
    for row in read_rows(path):
        flagged = int(row["unfamiliar"]) == 1
        score = float(row["log_density"])
        by_set[row["set"]].append(Unusual(row["set"], row["id"], row["label"], score, flagged))
    lowest = [sorted(images, key=lambda image: image.log_density) for images in by_set.values()]
    return tuple(image for images in lowest for image in images[:N_UNUSUAL])
