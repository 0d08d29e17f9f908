"""Images by class and part, and what about the split flatters the results."""

import shlex
from collections import Counter
from dataclasses import dataclass

from cellxai.files.folder import RunFolder
from cellxai.report.pieces import Card, Doubt, Section
from cellxai.report.printed_numbers import decimal
from cellxai.report.saved_files import attempt, dig, fill, read_json, read_rows

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Counts:
    """Images by class and part.

    Args:
        parts: Names of the columns.
        rows: One per class: its name, and its count in each part and in all.
        totals: Count in each part and in all.
        warnings: What about the split flatters the results.
        faults: What the reader of the data found wrong, one line each.
        batches: Whether plates and other columns can be told from the images, one sentence each.
        batch_warnings: Which of them a network may learn in place of the class.
    """

    parts: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    totals: tuple[int, ...]
    warnings: tuple[str, ...]
    faults: tuple[str, ...]
    batches: tuple[str, ...] = ()
    batch_warnings: tuple[str, ...] = ()


def data_section(folder: RunFolder) -> Section:
    """Images by class and part, and what is doubtful about them."""
    empty = Section(
        "data",
        "Data and split",
        "The images were divided before training: the classifier learns from one part, its best "
        "state is chosen on the validation part, and only a test part that neither saw says what "
        "to expect on new images.",
        f"cellxai fit --config {shlex.quote(str(folder.config))}",
    )
    return fill(empty, folder.split, lambda: _read_counts(folder), _make_cards, _find_doubts)


def _make_cards(counts: Counts) -> tuple[Card, ...]:
    parts = zip(counts.totals, counts.parts, strict=False)
    detail = " · ".join(f"{n_images} {part}" for n_images, part in parts)
    return (Card("Images", decimal(counts.totals[-1], 0), detail),)


def _find_doubts(counts: Counts) -> tuple[Doubt, ...]:
    return tuple(Doubt(warning) for warning in counts.warnings)


def _read_counts(folder: RunFolder) -> Counts:
    rows = read_rows(folder.split)
    counts = Counter((row["label"], row["part"]) for row in rows)
    labels = sorted({row["label"] for row in rows})
    extra = sorted({row["part"] for row in rows} - set(PARTS))
    parts = tuple(part for part in (*PARTS, *extra) if any(row["part"] == part for row in rows))
    by_label = tuple((label, tuple(counts[label, part] for part in parts)) for label in labels)
    totals = tuple(sum(column) for column in zip(*(row for _, row in by_label), strict=True))
    saved, _ = attempt(folder.environment, lambda: read_json(folder.environment))
    faults = dig(saved, "data", "faults")
    return Counts(
        parts,
        tuple((label, (*row, sum(row))) for label, row in by_label),
        (*totals, sum(totals)),
        _split_warnings(rows, parts),
        tuple(map(str, faults)) if isinstance(faults, list) else (),
        *_read_batches(folder),
    )


def _read_batches(folder: RunFolder) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What ``preview`` said of plates and other columns; nothing where it did not look."""
    source = folder.preview / "preview.json"
    saved, problem = attempt(source, lambda: read_json(source))
    columns = dig(saved, "batches", "columns")
    if not isinstance(columns, list):
        return (), (problem,) if problem else ()
    found = [column for column in columns if isinstance(column, dict)]
    sentences = tuple(str(column.get("sentence", "")) for column in found)
    return sentences, tuple(str(c["warning"]) for c in found if c.get("warning"))


def _split_warnings(rows: list[dict[str, str]], parts: tuple[str, ...]) -> tuple[str, ...]:
    warnings = []
    if n_ids := _n_in_several_parts(rows, "id"):
        warnings.append(f"{n_ids} images are in more than one part: the results are flattered.")
    if n_groups := _n_in_several_parts(rows, "group"):
        warnings.append(
            f"{n_groups} groups (plates, patients) are in more than one part: "
            "expect less on a new group."
        )
    if "test" not in parts:
        warnings.append(
            "There is no test part: every image was used to train or to choose the checkpoint."
        )
    return tuple(warnings)


def _n_in_several_parts(rows: list[dict[str, str]], key: str) -> int:
    pairs = {(row[key], row["part"]) for row in rows if row.get(key)}
    return sum(n_parts > 1 for n_parts in Counter(value for value, _ in pairs).values())
