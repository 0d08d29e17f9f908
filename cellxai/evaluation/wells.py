"""What the images of a well say together, and how sure a figure is with wells or plates as units.

Images of one well share its cells, its dispensing and its focus: they are no independent evidence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from cellxai.data.wells import Well, in_plate_order
from cellxai.intervals.level import Interval
from cellxai.intervals.means import mean_interval
from cellxai.intervals.shares import share_interval

ALL_PLATES = "(all)"
DEFINITION = (
    "A well's probabilities are means over its images, and its class is the likeliest by these. A "
    "plate's figures are means over its wells, with an interval from these: bootstrap-t, never "
    "narrower than Student's t, with the wells as units. Figures of all plates are means over the "
    "plates, with the plates as units where there are two or more. accuracy_of_wells: share of the "
    "wells of one class whose class is found; interval takes the wells for independent, plates has "
    "the plates as units."
)


@dataclass(frozen=True)
class WellImages:
    """Images with their wells and what was said of them.

    Args:
        wells: The well of each image; ``None`` where it has none.
        probabilities: Probability of each class.
        unknown: Whether each image was flagged as unfamiliar; ``None`` where that was not asked.
        labels: True classes; ``None`` where they are not known.
    """

    wells: Sequence[Well | None]
    probabilities: Float[np.ndarray, "n k"]
    unknown: Bool[np.ndarray, " n"] | None = None
    labels: Int[np.ndarray, " n"] | None = None


@dataclass(frozen=True)
class JudgedWell:
    """The images of one well.

    Args:
        well: Which.
        n_images: How many there are; all else is of at least one.
        probabilities: Mean probability of each class.
        interval: Of the mean probability of the predicted class, with the images as units.
        predicted: The likeliest class by these means.
        agreeing: Share of the images whose own likeliest class that is.
        share_unknown: Share of the images that are flagged; ``None`` where that was not asked.
        label: The true class; ``None`` where it is not known, or images differ.
        accuracy: Share of the images that are classified as labelled; ``None`` without labels.
    """

    well: Well
    n_images: int
    probabilities: Float[np.ndarray, " k"]
    interval: Interval | None
    predicted: int
    agreeing: float
    share_unknown: float | None
    label: int | None
    accuracy: float | None

    @property
    def is_right(self) -> bool | None:
        """Whether the predicted class is the true one; ``None`` where that is not known."""
        return None if self.label is None else self.predicted == self.label


def judge_wells(images: WellImages) -> list[JudgedWell]:
    """Each well that has an image, in the order of plates, rows and columns."""
    members: dict[Well, list[int]] = {}
    for index, well in enumerate(images.wells):
        if well is not None:
            members.setdefault(well, []).append(index)
    return [
        judge_well(well, np.array(members[well]), images)
        for well in sorted(members, key=in_plate_order)
    ]


def judge_well(well: Well, rows: Int[np.ndarray, " m"], images: WellImages) -> JudgedWell:
    """One well of some images; ``rows`` are the places of its own."""
    probabilities = images.probabilities[rows]
    mean = probabilities.mean(0)
    predicted, own = int(mean.argmax()), probabilities.argmax(1)
    labels = None if images.labels is None else images.labels[rows]
    return JudgedWell(
        well, len(rows), mean, mean_interval(probabilities[:, predicted], 0.0, 1.0), predicted,
        float((own == predicted).mean()),
        None if images.unknown is None else float(images.unknown[rows].mean()),
        None if labels is None or np.ptp(labels) else int(labels[0]),
        None if labels is None else float((own == labels).mean()),
    )  # fmt: skip


@dataclass(frozen=True)
class MeanOfUnits:
    """A mean with its interval; ``None`` where there are fewer than two units, or all agree."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class JudgedPlate:
    """The wells of one plate, or the plates together.

    Args:
        plate: Its name, or :data:`ALL_PLATES`.
        unit: What the intervals take for independent: ``well`` or ``plate``.
        n_units: How many of these there are.
        n_wells: Number of the wells.
        n_images: Number of their images.
        figures: Means over the units by name: ``p_CLASS``, and ``share_unknown`` and ``accuracy``
            where these are known.
    """

    plate: str
    unit: str
    n_units: int
    n_wells: int
    n_images: int
    figures: Mapping[str, MeanOfUnits]


def judge_plates(wells: Sequence[JudgedWell], classes: Sequence[str]) -> list[JudgedPlate]:
    """Each plate by its wells, then all plates, by these where there are two or more."""
    by_plate: dict[str, list[JudgedWell]] = {}
    for well in wells:
        by_plate.setdefault(well.well.plate, []).append(well)
    plates = [
        _judge_plate(plate, "well", [figures_of(well, classes) for well in own], own)
        for plate, own in by_plate.items()
    ]
    if len(plates) < 2:
        return plates
    means = [{name: f.value for name, f in plate.figures.items()} for plate in plates]
    return [*plates, _judge_plate(ALL_PLATES, "plate", means, wells)]


def figures_of(well: JudgedWell, classes: Sequence[str]) -> dict[str, float]:
    """What is averaged of a well."""
    figures = {f"p_{name}": float(p) for name, p in zip(classes, well.probabilities, strict=True)}
    optional = {"share_unknown": well.share_unknown, "accuracy": well.accuracy}
    return figures | {name: value for name, value in optional.items() if value is not None}


def _judge_plate(
    plate: str, unit: str, units: Sequence[Mapping[str, float]], wells: Sequence[JudgedWell]
) -> JudgedPlate:
    figures = {}
    for name in units[0]:
        values = np.array([of_unit[name] for of_unit in units])
        figures[name] = MeanOfUnits(float(values.mean()), mean_interval(values, 0.0, 1.0))
    n_images = sum(well.n_images for well in wells)
    return JudgedPlate(plate, unit, len(units), len(wells), n_images, figures)


def report_wells(wells: Sequence[JudgedWell], plates: Sequence[JudgedPlate]) -> dict[str, Any]:
    """What the wells of some images say, as plain values for JSON; empty without wells."""
    if not wells:
        return {}
    of_all = plates[-1]
    report: dict[str, Any] = {
        "n_wells": len(wells), "n_plates": len({well.well.plate for well in wells}),
        "n_images": of_all.n_images, "unit": of_all.unit,
        "figures": {
            name: {"mean": figure.value, "interval": figure.interval}
            for name, figure in of_all.figures.items()
        },
    }  # fmt: skip
    right = [well for well in wells if well.is_right is not None]
    if not right:
        return report
    by_plate: dict[str, list[bool]] = {}
    for well in right:
        by_plate.setdefault(well.well.plate, []).append(bool(well.is_right))
    n_right = sum(map(sum, by_plate.values()))
    of_plates = np.array([np.mean(own) for own in by_plate.values()])
    return report | {
        "accuracy_of_wells": {
            "value": n_right / len(right), "n_right": n_right, "n_wells": len(right),
            "interval": share_interval(n_right, len(right)),
            "plates": mean_interval(of_plates, 0.0, 1.0),
        }
    }  # fmt: skip
