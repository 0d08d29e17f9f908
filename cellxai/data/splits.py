"""Which image trains, which one validates, which one tests: by image, never by cell."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cellxai.data.csv_rows import read_rows
from cellxai.data.dealing import deal_folds, deal_parts, unit_name, units_per_class
from cellxai.data.grouping import check_columns, group_records, strata_of, with_columns
from cellxai.data.records import Fault, Record, Scan
from cellxai.data.split_settings import LEAVE_ONE_OUT, PARTS, SplitSettings
from cellxai.files.folder import write_csv


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
    strata = strata_of(records, settings.stratify_by)
    if settings.n_folds is None:
        return deal_parts(records, settings.shares, settings.seed, strata)
    folds = folds_of(records, settings, strata)
    learnt_from = [record for record in records if folds[record.id] != settings.fold]
    shares = {part: share for part, share in settings.shares.items() if part != "test"}
    dealt = deal_parts(learnt_from, shares, settings.seed, strata)
    return dict.fromkeys(folds, "test") | dealt


def folds_of(
    records: Sequence[Record], settings: SplitSettings, strata: Mapping[str, str]
) -> dict[str, int]:
    """The fold of each image by its id.

    Raises:
        ValueError: If the fold to be tested is none of the groups that are left out.
    """
    if isinstance(settings.n_folds, int):
        return deal_folds(records, settings.n_folds, settings.seed, strata)
    groups = groups_left_out(records, settings)
    if settings.fold >= len(groups):
        raise ValueError(
            f"split.fold={settings.fold}: expected 0…{len(groups) - 1}, for there are "
            f"{len(groups)} groups to leave out"
        )
    fold_of = {group: fold for fold, group in enumerate(groups)}
    return {record.id: fold_of[unit_name(record)] for record in records}


def groups_left_out(records: Sequence[Record], settings: SplitSettings) -> list[str]:
    """The groups by name, each of which is a fold: in the order of the folds.

    Raises:
        ValueError: If there is no group.
    """
    if all(record.group is None for record in records):
        raise ValueError(
            f"split.n_folds={settings.n_folds}: the data has no groups to leave out; name columns "
            "in split.group_by, or pass a number of folds"
        )
    return sorted({unit_name(record) for record in records})


def group_scan(scan: Scan, settings: SplitSettings) -> Scan:
    """The data set with the groups that the split names.

    Raises:
        ValueError: If a column is not there, is blank somewhere, or gives too few groups to part.
    """
    records = group_records(scan.records, settings.group_by)
    check_columns("split.stratify_by", settings.stratify_by, records)
    groups = {unit_name(record) for record in records}
    needed = settings.units_needed
    if records and settings.group_by and settings.file is None and len(groups) < needed:
        first = ", ".join(sorted({str(record.group) for record in records}))
        raise ValueError(
            f"split.group_by={[*settings.group_by]}: {len(groups)} group(s) ({first}) of "
            f"{len(records)} images, expected at least {needed}, for a group is in one part alone; "
            "group by a finer column, set a share to 0, or pass fewer folds"
        )
    return replace(scan, records=tuple(records))


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
            by = f" by {', '.join(settings.group_by)}" if settings.group_by else ""
            parts, fewer = describe_parts(settings)
            raise ValueError(
                f"class {label!r} has too few {kind}{by}: {n_units}, expected at least {needed}, "
                f"one for each of {parts}; add images, {fewer}, or pass rare_classes=leave_out"
            )


def describe_parts(settings: SplitSettings) -> tuple[str, str]:
    """What a class has to be in, and how that becomes less."""
    if settings.n_folds == LEAVE_ONE_OUT:
        return "what is left out and what is learnt from", "pass a number of folds"
    if settings.n_folds:
        return f"{settings.n_folds} folds", "pass fewer folds"
    return ", ".join(settings.shares), "set a share to 0"


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

    What else a table says of the images follows. No paths: the file then says the same on every
    machine.
    """
    rows = [
        {
            "id": record.id,
            "label": record.label,
            "group": record.group or "",
            "part": parts[record.id],
        }
        for record in records
    ]
    write_csv(path, with_columns(rows, records))
