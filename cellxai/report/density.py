"""Section about which images the classifier knows at all."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellxai.report.numbers import percent
from cellxai.report.reading import Card, Picture, Section, attempt, embed, read_json, read_rows
from cellxai.runfolder import RunFolder

N_UNUSUAL = 3  # of each set
SHEET = "Sheet of the least typical images, each with its log-density."


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
        mixture: What was fitted, in words.
        threshold: In nats.
        calibration: How the threshold was chosen, in words.
        warnings: As the fit gave them.
        histogram: The picture.
        extremes: The sheet of the most and the least typical images.
        unusual: The ``N_UNUSUAL`` images of lowest log-density of each set.
        problem: Why they cannot be listed.
    """

    sets: tuple[ImageSet, ...]
    mixture: str
    threshold: float
    calibration: str
    warnings: tuple[str, ...]
    histogram: Picture
    extremes: Picture
    unusual: tuple[Unusual, ...]
    problem: str


def density_section(folder: RunFolder, command: str) -> Section:
    """Threshold, share flagged per set, and the most unusual images."""
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
    by_name = {found.name: found for found in sets}
    shown = by_name.get("test") or by_name.get("validation") or sets[0]
    known = ("train", "validation", "test")
    others = [found for found in sets if found.name not in known and found is not shown]
    shares = "".join(f"; {percent(other.share_flagged)} of {other.name}" for other in others)
    return Card("Unfamiliar", percent(shown.share_flagged), f"of {shown.name} images{shares}")


def _read_density(folder: RunFolder, source: Path) -> Density:
    saved = read_json(source)
    scores = folder.density / "scores.csv"
    unusual, problem = attempt(scores, lambda: _read_unusual(scores))
    return Density(
        tuple(_read_set(name, one, saved["auroc"]) for name, one in saved["sets"].items()),
        f"{int(saved['n_components'])} components, {saved['covariance_type']} covariance, "
        f"{int(saved['n_dimensions'])} dimensions",
        float(saved["threshold_nats"]),
        f"the {float(saved['percent']):g} % quantile of {int(saved['n_calibration'])} "
        f"{saved['calibrated_on']} images",
        tuple(map(str, saved["warnings"])),
        _histogram(folder, tuple(map(str, saved["sets"]))),
        embed(folder.root, folder.density / "extremes.png", SHEET),
        unusual or (),
        problem if scores.exists() else "density/scores.csv is missing",
    )


def _histogram(folder: RunFolder, sets: tuple[str, ...]) -> Picture:
    alt = f"Histograms of the log-density of {', '.join(sets)}, with the threshold."
    return embed(folder.root, folder.density / "histogram.png", alt)


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
