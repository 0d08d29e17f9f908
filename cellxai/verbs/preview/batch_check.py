"""Can the plate, or any other column, be told from the image, and does it go with the class?"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from cellxai.data.grouping import column_names, value_of
from cellxai.data.records import Record
from cellxai.data.wells import well_of
from cellxai.evaluation.association import Association, associate
from cellxai.evaluation.batch_effect import BatchImages, Telling, tell

PIXELS = "pixel statistics"
LEAST_UNITS = 3  # of a value, for it to be told in folds that have not seen it all
MOST_VALUES = 24
LEVEL = 0.05  # over all columns and features together (Bonferroni)
CONFOUNDED_FROM = 0.1  # Cramér's V that Cohen (1988) calls small

Features = Mapping[str, tuple[Sequence[Record], Float[np.ndarray, "n d"]]]
"""Images that could be read and numbers of each, by what the numbers are."""


@dataclass(frozen=True)
class ColumnCheck:
    """One column.

    Args:
        column: Its name.
        n_values: Number of its values that are compared.
        n_images: Number of the images that have one of these.
        unit: What is independent of others: ``well``, ``group`` or ``image``.
        n_units: Number of these.
        told: How well it is told, by what it is told from.
        level: Largest p-value that counts, so that of all columns one is told by chance in 5 % of
            data sets at most.
        association: How closely it goes with the class, unit by unit.
    """

    column: str
    n_values: int
    n_images: int
    unit: str
    n_units: int
    told: Mapping[str, Telling]
    level: float
    association: Association

    @property
    def is_told(self) -> bool:
        """Whether it can be told from any of the numbers."""
        return any(telling.p <= self.level for telling in self.told.values())

    @property
    def is_confounded(self) -> bool:
        """Whether it goes with the class, by more than chance and more than a little."""
        both = self.association
        fixed = both.rows_fix_columns or both.columns_fix_rows
        return both.interval[0] > 0 and (fixed or both.interval[0] >= CONFOUNDED_FROM)

    def __str__(self) -> str:
        verdict = "can be told from the image" if self.is_told else "cannot be told from the image"
        told = "; ".join(describe_telling(name, t) for name, t in self.told.items())
        low, high = self.association.interval
        both = self.association
        fixed = "; each of its values has one class" if both.rows_fix_columns else ""
        fixed += "; each class has one of its values" if both.columns_fix_rows else ""
        goes = "goes with the class" if self.is_confounded else "does not go with the class"
        return (
            f"{self.column} ({self.n_values} values, {self.n_units} {self.unit}s) {verdict}: "
            f"{told}. It {goes}: Cramér's V {both.v:.2f} (95 % interval {low:.2f} to "
            f"{high:.2f}){fixed}"
        )

    @property
    def warning(self) -> str:
        """What a network may learn in place of the class; empty where nothing speaks for it."""
        if not (self.is_told and self.is_confounded):
            return ""
        return (
            f"{self.column} can be told from the image and goes with the class: a network may "
            f"learn it instead; part by it (split.group_by: [{self.column}]), or image each class "
            "under all its values"
        )

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        names = ("column", "n_values", "n_images", "unit", "n_units", "level")
        return {
            **{name: getattr(self, name) for name in names},
            "told": {name: asdict(telling) for name, telling in self.told.items()},
            "cramers_v": asdict(self.association),
            "is_told": self.is_told, "is_confounded": self.is_confounded,
            "sentence": str(self), "warning": self.warning,
        }  # fmt: skip


def describe_telling(name: str, telling: Telling) -> str:
    """How well a column is told from some numbers."""
    interval = ""
    if telling.interval is not None:
        interval = f" (95 % interval {telling.interval[0]:.0%} to {telling.interval[1]:.0%})"
    beyond = "beyond what the class explains" if telling.beyond_class else "class and all"
    return (
        f"by {name} {telling.accuracy:.0%}{interval} where guessing has {telling.chance:.0%}, "
        f"{beyond}, permutation p {telling.p:.3f}"
    )


@dataclass(frozen=True)
class BatchCheck:
    """What the columns of a data set give away.

    Args:
        columns: Those that could be checked.
        not_checked: Why each other could not be.
        note: What it was asked of.
    """

    columns: tuple[ColumnCheck, ...] = ()
    not_checked: tuple[str, ...] = ()
    note: str = ""

    @property
    def lines(self) -> list[str]:
        """What the terminal says."""
        if not self.columns and not self.not_checked:
            return []
        warnings = [f"warning: {c.warning}" for c in self.columns if c.warning]
        skipped = [f"not checked: {why}" for why in self.not_checked]
        return [*map(str, self.columns), *warnings, *skipped, *([self.note] if self.note else [])]

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "columns": [column.as_json() for column in self.columns],
            "not_checked": list(self.not_checked), "note": self.note,
        }  # fmt: skip


def columns_to_check(records: Sequence[Record]) -> list[str]:
    """The columns of a table, and the groups that a reader knows."""
    grouped = ["group"] if any(record.group is not None for record in records) else []
    return [*grouped, *column_names(records)]


def check_batches(features: Features, seed: int = 0) -> BatchCheck:
    """Asks of each column whether the numbers tell it, and how closely it goes with the class.

    Args:
        features: Images and their numbers, by what these are; at least one.
        seed: Of folds and permutations.
    """
    names = columns_to_check(next(iter(features.values()))[0])
    reasons = {name: problem_of(name, next(iter(features.values()))[0]) for name in names}
    checked = [name for name, reason in reasons.items() if not reason]
    level = LEVEL / max(1, len(checked) * len(features))
    columns = tuple(check_column(name, features, level, seed) for name in checked)
    skipped = tuple(f"{name}: {reason}" for name, reason in reasons.items() if reason)
    alone = "" if len(features) > 1 else (
        "batches were asked of pixel statistics alone; --probe TimmBackbone with weights at hand "
        "asks a network's features, too"
    )  # fmt: skip
    return BatchCheck(columns, skipped, alone if checked else "")


def problem_of(name: str, records: Sequence[Record]) -> str:
    """Why a column cannot be checked; empty where it can."""
    values = [value_of(record, name) for record in records]
    n_values, kept = len(set(values) - {""}), usable(name, records)
    if n_values < 2:
        return f"{n_values} value(s), expected at least 2"
    n_kept = len({value_of(records[i], name) for i in kept})
    if n_kept < 2:
        kind = kind_for(name, records)
        return f"{n_values} values, of which {n_kept} have {LEAST_UNITS} {kind}s or more"
    if n_kept > MOST_VALUES:
        return f"{n_kept} values, expected at most {MOST_VALUES}"
    if len({records[i].label for i in kept}) < 2:
        return "images of one class"
    return ""


def unit_kind(records: Sequence[Record]) -> str:
    """What is independent of others: the finest that images share."""
    if any(well_of(record.columns) for record in records):
        return "well"
    return "group" if any(record.group is not None for record in records) else "image"


def kind_for(name: str, records: Sequence[Record]) -> str:
    """What is independent of others where that column is asked for: never the column itself."""
    return "image" if name.casefold() in ("well", "group") else unit_kind(records)


def unit_of(record: Record, kind: str, column: str) -> tuple[str, ...]:
    """The well, group or image that a record is of."""
    well = well_of(record.columns)
    if kind == "well" and well is not None and column.casefold() != "well":
        return tuple(well)
    if kind == "group" and record.group is not None and column != "group":
        return ("group", record.group)
    return ("image", record.id)


def usable(name: str, records: Sequence[Record]) -> list[int]:
    """Places of the images whose value enough units have."""
    kind = unit_kind(records)
    units: dict[str, set[tuple[str, ...]]] = {}
    for record in records:
        units.setdefault(value_of(record, name), set()).add(unit_of(record, kind, name))
    enough = {value for value, of_value in units.items() if value and len(of_value) >= LEAST_UNITS}
    return [place for place, record in enumerate(records) if value_of(record, name) in enough]


def check_column(name: str, features: Features, level: float, seed: int) -> ColumnCheck:
    """One column that can be checked."""
    asked = {
        kind: images_of(name, records, numbers) for kind, (records, numbers) in features.items()
    }
    told = {kind: tell(images, seed) for kind, images in asked.items()}
    images, records = next(iter(asked.values())), next(iter(features.values()))[0]
    triples = np.unique(np.column_stack([images.units, images.values, images.classes]), axis=0)
    return ColumnCheck(
        name, int(images.values.max()) + 1, len(images.values), kind_for(name, records),
        int(images.units.max()) + 1, told, level,
        associate(triples[:, 1], triples[:, 2]),
    )  # fmt: skip


def images_of(
    name: str, records: Sequence[Record], numbers: Float[np.ndarray, "n d"]
) -> BatchImages:
    """The images that have a value of the column, with what is to be told from what."""
    kept, kind = usable(name, records), unit_kind(records)
    own = [records[place] for place in kept]
    return BatchImages(
        numbers[kept], numbered([value_of(record, name) for record in own]),
        numbered([record.label for record in own]),
        numbered([unit_of(record, kind, name) for record in own]),
    )  # fmt: skip


def numbered(names: Sequence[Any]) -> Int[np.ndarray, " n"]:
    """Each name's place among the different ones, in alphabetical order."""
    places = {name: place for place, name in enumerate(sorted(set(names)))}
    return np.array([places[name] for name in names], dtype=np.int64)
