"""Which image trains, which one validates, which one tests: by image, never by cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cellxai.data.csv_rows import read_rows
from cellxai.data.dealing import deal_folds, deal_parts, units_per_class
from cellxai.data.records import Fault, Record, Scan
from cellxai.files.folder import write_csv

PARTS = ("train", "validation", "test")
RARE_CLASSES = ("refuse", "leave_out")


@dataclass(frozen=True)
class SplitSettings:
    """How a data set is parted: by shares, into folds, or as a file says. Groups stay whole.

    Args:
        validation_share: Share of the images that choose the epoch and the thresholds.
        test_share: Share of the images that are looked at once, at the end; not used with folds.
        seed: Another seed parts the images differently.
        file: A ``split.csv`` with columns ``id`` and ``part`` to use as it is; shares, folds and
            seed are then not used.
        n_folds: Folds of a cross-validation, each of which is tested in one run; ``None`` for a
            single split.
        fold: The fold that is tested here, from 0; all others train and validate.
        rare_classes: What becomes of a class with too few images or groups to be in every part, or
            in every fold: ``refuse`` ends with its name, ``leave_out`` reports it and goes on.
        keep_copies_together: Whether images that show the same (turned, resized, recompressed, as
            `cellxai check` finds them) are one group. All images are read once more for it.

    Raises:
        ValueError: If a share is outside [0, 1), nothing is left to train on, there is no such
            fold, or a file parts the images and copies are to be kept together.
    """

    validation_share: float = 0.2
    test_share: float = 0.2
    seed: int = 0
    file: Path | None = None
    n_folds: int | None = None
    fold: int = 0
    rare_classes: Literal["refuse", "leave_out"] = "refuse"
    keep_copies_together: bool = False

    def __post_init__(self) -> None:
        for name in ("validation_share", "test_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected a share in [0, 1)")
        if self.n_folds is not None and self.n_folds < 2:
            raise ValueError(f"n_folds={self.n_folds}: expected at least 2, or null for no folds")
        if not 0 <= self.fold < (self.n_folds or 1):
            folds = "0 without n_folds" if self.n_folds is None else f"0…{self.n_folds - 1}"
            raise ValueError(f"fold={self.fold}: expected {folds}")
        if self.validation_share + self.tested_share >= 1:
            tested = f"n_folds={self.n_folds}" if self.n_folds else f"test_share={self.test_share}"
            raise ValueError(
                f"validation_share={self.validation_share} and {tested} "
                "leave nothing to train on; pass shares that sum to less than 1"
            )
        if self.rare_classes not in RARE_CLASSES:
            expected = " or ".join(RARE_CLASSES)
            raise ValueError(f"rare_classes={self.rare_classes!r}: expected {expected}")

        if self.keep_copies_together and self.file is not None:
            raise ValueError(
                f"split.keep_copies_together=true and split.file={self.file}: the file says which "
                "image is where; pass one of the two"
            )

    @property
    def tested_share(self) -> float:
        """The share of the images that one run tests."""
        return 1 / self.n_folds if self.n_folds else self.test_share

    @property
    def shares(self) -> dict[str, float]:
        """The share of each part that gets any image, the training part first."""
        train = 1 - self.validation_share - self.tested_share
        shares = zip(PARTS, (train, self.validation_share, self.tested_share), strict=True)
        return {part: share for part, share in shares if share > 0}

    @property
    def units_needed(self) -> int:
        """Groups, or images without a group, that put a class into every part of every fold."""
        if self.n_folds == 2 and self.validation_share:
            return 4  # the half that is not tested has to be shared out again
        return self.n_folds or len(self.shares)


def split_records(records: Sequence[Record], settings: SplitSettings) -> dict[str, str]:
    """The part of each image, ``train``, ``validation`` or ``test``, by id.

    Every part has every class, in equal proportions as far as whole groups allow. The result
    depends on the records and not on their order. Over all folds each image is tested once.

    Raises:
        ValueError: If a class has too few images or groups, or the split file does not fit.
    """
    if settings.file is not None:
        return read_split(settings.file, records)
    check_enough(records, settings)
    parts = deal_records(records, settings)
    check_train(records, parts)
    return {record.id: parts[record.id] for record in records}


def deal_records(records: Sequence[Record], settings: SplitSettings) -> dict[str, str]:
    """The parts by shares; with folds, what is not tested is shared out again."""
    if settings.n_folds is None:
        return deal_parts(records, settings.shares, settings.seed)
    folds = deal_folds(records, settings.n_folds, settings.seed)
    learnt_from = [record for record in records if folds[record.id] != settings.fold]
    shares = {part: share for part, share in settings.shares.items() if part != "test"}
    return dict.fromkeys(folds, "test") | deal_parts(learnt_from, shares, settings.seed)


def keep_common(scan: Scan, settings: SplitSettings) -> Scan:
    """The data set without its rare classes, each of which becomes a fault, if settings say so.

    Where a file parts the images, a class is rare if no image of it is in the file.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if settings.rare_classes == "refuse":
        return scan
    n_units, needed = units_per_class(scan.records), settings.units_needed
    if settings.file is None:
        rare = {label: f"expected {needed}" for label, n in n_units.items() if n < needed}
    else:
        listed = {row["id"] for row in read_rows(settings.file, ("id", "part"))}
        parted = {record.label for record in scan.records if record.id in listed}
        rare = {label: f"none in {settings.file}" for label in n_units if label not in parted}
    faults = [
        Fault(f"class {label}", f"left out: {n_units[label]} image(s) or group(s), {reason}")
        for label, reason in rare.items()
    ]
    kept = tuple(record for record in scan.records if record.label not in rare)
    return Scan(kept, (*scan.faults, *faults), scan.notes)


def check_enough(records: Sequence[Record], settings: SplitSettings) -> None:
    """Refuses a class that cannot be in every part, before anything is dealt.

    Raises:
        ValueError: Naming the first such class, in alphabetical order.
    """
    if not records:
        raise ValueError(
            "0 images to split, expected at least one; run `cellxai check` on the data to see why"
        )
    needed = settings.units_needed
    for label, n_units in units_per_class(records).items():
        if n_units < needed:
            kind = "images" if all(record.group is None for record in records) else "groups"
            parts = f"{settings.n_folds} folds" if settings.n_folds else ", ".join(settings.shares)
            fewer = "pass fewer folds" if settings.n_folds else "set a share to 0"
            raise ValueError(
                f"class {label!r} has too few {kind}: {n_units}, expected at least {needed}, one "
                f"for each of {parts}; add images, {fewer}, or pass rare_classes=leave_out"
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
