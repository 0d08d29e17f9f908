"""Which image trains, which one validates, which one tests: by image, never by cell."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellxai.data.records import Record
from cellxai.data.rows import read_rows
from cellxai.runfolder import write_csv

PARTS = ("train", "validation", "test")
NOTHING_YET = 1e-9  # stands for √(0 · 1): a part without a class comes before all that have it


@dataclass(frozen=True)
class SplitSettings:
    """How a data set is parted.

    Args:
        validation_share: Share of the images that choose the epoch and the thresholds.
        test_share: Share of the images that are looked at once, at the end.
        seed: Another seed parts the images differently.
        file: A ``split.csv`` with columns ``id`` and ``part`` to use as it is; shares and seed are
            then not used.

    Raises:
        ValueError: If a share is outside [0, 1), or nothing is left to train on.
    """

    validation_share: float = 0.2
    test_share: float = 0.2
    seed: int = 0
    file: Path | None = None

    def __post_init__(self) -> None:
        for name in ("validation_share", "test_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected a share in [0, 1)")
        if self.validation_share + self.test_share >= 1:
            raise ValueError(
                f"validation_share={self.validation_share} and test_share={self.test_share} "
                "leave nothing to train on; pass shares that sum to less than 1"
            )

    @property
    def shares(self) -> dict[str, float]:
        """The share of each part that gets any image, the training part first."""
        train = 1 - self.validation_share - self.test_share
        shares = zip(PARTS, (train, self.validation_share, self.test_share), strict=True)
        return {part: share for part, share in shares if share > 0}


def split_records(records: Sequence[Record], settings: SplitSettings) -> dict[str, str]:
    """The part of each image, ``train``, ``validation`` or ``test``, by id.

    Every part has every class, in equal proportions as far as whole groups allow. The result
    depends on the records and not on their order.

    Raises:
        ValueError: If a class has too few images or groups, or the split file does not fit.
    """
    if settings.file is not None:
        return read_split(settings.file, records)
    check_enough(records, settings)
    parts = assign_parts(records, settings)
    check_train(records, parts)
    return {record.id: parts[record.id] for record in records}


def assign_parts(records: Sequence[Record], settings: SplitSettings) -> dict[str, str]:
    """Deals the images to the parts, one group (or one image without a group) at a time.

    Each unit goes where its classes are furthest below their share by the Huntington-Hill priority
    share / √(have · (have + 1)), which gives every part one image before any gets a second. The
    splitters of scikit-learn know either groups or free shares, not both.
    """
    shares = settings.shares
    have: dict[str, Counter[str]] = {part: Counter() for part in shares}
    assigned: dict[str, str] = {}
    for unit in shuffled_units(records, settings.seed):
        counts = Counter(record.label for record in unit)
        part = max(shares, key=lambda part: urgency(shares[part], have[part], counts))
        have[part] += counts
        assigned |= {record.id: part for record in unit}
    return assigned


def urgency(share: float, have: Counter[str], unit: Counter[str]) -> float:
    """How much a part of ``share`` that has ``have`` images a class needs the classes of a unit."""
    return sum(
        n * share / max(math.sqrt(have[label] * (have[label] + 1)), NOTHING_YET)
        for label, n in unit.items()
    )


def shuffled_units(records: Sequence[Record], seed: int) -> list[list[Record]]:
    """Groups in random order, the large ones first: small ones then even out the shares."""
    units: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: record.id):
        units.setdefault(unit_name(record), []).append(record)
    names = sorted(units)
    order = np.random.default_rng(seed).permutation(len(names))
    return sorted((units[names[i]] for i in order), key=len, reverse=True)


def unit_name(record: Record) -> str:
    """The group, or the image itself; told apart, for an id may equal a group's name."""
    return f"image {record.id}" if record.group is None else f"group {record.group}"


def check_enough(records: Sequence[Record], settings: SplitSettings) -> None:
    """Refuses a class that cannot be in every part, before anything is dealt.

    Raises:
        ValueError: Naming the first such class, in alphabetical order.
    """
    if not records:
        raise ValueError("no images to split; run `cellxai check` on the data to see why")
    needed = len(settings.shares)
    units = sorted({(record.label, unit_name(record)) for record in records})
    for label, n_units in sorted(Counter(label for label, _ in units).items()):
        if n_units < needed:
            kind = "images" if all(record.group is None for record in records) else "groups"
            raise ValueError(
                f"class {label!r} has too few {kind}: {n_units}, expected at least {needed}, one "
                f"for each of {', '.join(settings.shares)}; add images, leave the class out, "
                "or set a share to 0"
            )


def check_train(records: Sequence[Record], parts: Mapping[str, str]) -> None:
    """Refuses a split in which a class cannot be learnt.

    Raises:
        ValueError: Naming the classes without an image in ``train``.
    """
    learnt = {record.label for record in records if parts[record.id] == "train"}
    missing = sorted({record.label for record in records} - learnt)
    if missing:
        raise ValueError(
            f"class {', '.join(map(repr, missing))} has no image in train, expected at least one; "
            "pass another seed, other shares, or a file that parts the images"
        )


def read_split(path: Path, records: Sequence[Record]) -> dict[str, str]:
    """The parts written in a file with columns ``id`` and ``part``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a part is unknown, an id is unknown or named twice, or an image is missing.
    """
    rows = read_rows(path, ("id", "part"))
    parts: dict[str, str] = {}
    for row in rows:
        if row["part"] not in PARTS:
            raise ValueError(f"{row.where}: part {row['part']!r}, expected {', '.join(PARTS)}")
        if row["id"] in parts:
            raise ValueError(f"{row.where}: id {row['id']!r} is named twice, expected once")
        parts[row["id"]] = row["part"]
    ids = {record.id for record in records}
    refuse_ids(path, sorted(parts.keys() - ids), "not in the data; remove their rows")
    refuse_ids(path, sorted(ids - parts.keys()), "without a row; add one for each")
    check_train(records, parts)
    return {record.id: parts[record.id] for record in records}


def refuse_ids(path: Path, ids: Sequence[str], reason: str) -> None:
    """Raises a :class:`ValueError` that names ``ids``, if there are any."""
    if ids:
        more = f" and {len(ids) - 10} more" if len(ids) > 10 else ""
        raise ValueError(f"{path}: ids {', '.join(ids[:10])}{more} {reason}")


def write_split(path: Path, records: Sequence[Record], parts: Mapping[str, str]) -> None:
    """Writes id, label, group and part of each image; :class:`SplitSettings` reads it back.

    No paths: the file then says the same on every machine.
    """
    write_csv(
        path,
        [
            {
                "id": record.id,
                "label": record.label,
                "group": record.group or "",
                "part": parts[record.id],
            }
            for record in records
        ],
    )
