"""Sections about where the run comes from: its data, its training, and how to rerun it."""

import shlex
from collections import Counter
from dataclasses import dataclass
from typing import Any

from cellxai.files.folder import RunFolder
from cellxai.report.numbers import DASH, decimal, duration
from cellxai.report.reading import (
    Card,
    Picture,
    Section,
    attempt,
    dig,
    embed,
    read_json,
    read_rows,
    read_yaml,
)

PARTS = ("train", "validation", "test")
N_FINGERPRINT = 20


@dataclass(frozen=True)
class Origin:
    """What made the run.

    Args:
        facts: Name and value, for the head of the page.
        versions: Of the packages.
        command: As it was typed; empty if not recorded.
        config: The text of ``config.yaml``.
        cards: Its figures for the top of the page.
        problems: Files that could not be read, one line each.
    """

    facts: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    command: str
    config: str
    cards: tuple[Card, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Counts:
    """Images by class and part.

    Args:
        parts: Columns.
        rows: Class, count in each part, sum.
        totals: Count in each part, sum.
        warnings: What about the split flatters the results.
        faults: What the reader of the data found wrong, one line each.
    """

    parts: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    totals: tuple[int, ...]
    warnings: tuple[str, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Training:
    """How the training went.

    Args:
        curves: The picture.
        n_epochs: Finished.
        last: Name and value of what the last epoch recorded.
    """

    curves: Picture
    n_epochs: int
    last: tuple[tuple[str, str], ...]


def read_origin(folder: RunFolder) -> Origin:
    """Reads config and environment; either may be broken, the environment may be missing."""
    config, config_problem = attempt(folder.config, lambda: read_yaml(folder.config))
    saved, saved_problem = attempt(folder.environment, lambda: read_json(folder.environment))
    return Origin(
        facts=_facts(config, saved),
        versions=_pairs(dig(saved, "versions")),
        command=_command(dig(saved, "command")),
        config=folder.config.read_text(encoding="utf-8", errors="replace"),
        cards=_cards(saved),
        problems=tuple(problem for problem in (config_problem, saved_problem) if problem),
    )


def _facts(config: Any, saved: Any) -> tuple[tuple[str, str], ...]:
    data = str(dig(config, "data", "class_path") or DASH).rpartition(".")[2]
    settings = ", ".join(
        f"{name}: {value}" for name, value in _pairs(dig(config, "data", "init_args"))
    )
    facts = (
        ("network", dig(config, "model", "backbone", "init_args", "name")),
        ("parameters", _number(dig(saved, "n_parameters"))),
        ("data", f"{data} ({settings})" if settings else data),
        ("data fingerprint", _short(dig(saved, "data", "fingerprint"))),
        ("made", dig(saved, "created")),
        ("device", dig(saved, "device")),
        ("seed", dig(saved, "seed") if dig(config, "seed") is None else dig(config, "seed")),
        ("revision of the code", dig(saved, "git_revision")),
    )
    return tuple((name, str(value)) for name, value in facts if value not in (None, "", DASH))


def _cards(saved: Any) -> tuple[Card, ...]:
    seconds = dig(saved, "seconds")
    if not isinstance(seconds, int | float):
        return ()
    return (
        Card("Training took", duration(seconds), f"on {dig(saved, 'device') or 'this machine'}"),
    )


def _short(fingerprint: Any) -> str:
    """The start of a fingerprint: who compares all of it opens environment.json."""
    text = str(fingerprint or "")
    return text if len(text) <= N_FINGERPRINT else f"{text[:N_FINGERPRINT]}…"


def _number(value: Any) -> str:
    return decimal(value, 0) if isinstance(value, int | float) else DASH


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    items = value.items() if isinstance(value, dict) else ()
    return tuple((str(name), str(item)) for name, item in items if item is not None)


def _command(value: Any) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else str(value or "")


def data_section(folder: RunFolder) -> Section:
    """Images by class and part, and what is doubtful about them."""
    found, problem = attempt(folder.split, lambda: _read_counts(folder))
    return Section(
        "data",
        "Data and split",
        "The images were divided before training: the classifier learns from one part, its best "
        "state is chosen on the validation part, and only a test part that neither saw says what "
        "to expect on new images.",
        f"cellxai fit --config {shlex.quote(str(folder.config))}",
        found,
        problem,
        () if found is None else (_image_card(found),),
    )


def _image_card(counts: Counts) -> Card:
    parts = zip(counts.totals, counts.parts, strict=False)
    return Card(
        "Images", decimal(counts.totals[-1], 0), " · ".join(f"{n} {part}" for n, part in parts)
    )


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
    )


def _split_warnings(rows: list[dict[str, str]], parts: tuple[str, ...]) -> tuple[str, ...]:
    warnings = []
    if n_ids := _n_parted(rows, "id"):
        warnings.append(f"{n_ids} images are in more than one part: the results are flattered.")
    if n_groups := _n_parted(rows, "group"):
        warnings.append(
            f"{n_groups} groups (plates, patients) are in more than one part: "
            "expect less on a new group."
        )
    if "test" not in parts:
        warnings.append(
            "There is no test part: every image was used to train or to choose the checkpoint."
        )
    return tuple(warnings)


def _n_parted(rows: list[dict[str, str]], key: str) -> int:
    pairs = {(row[key], row["part"]) for row in rows if row.get(key)}
    return sum(n_parts > 1 for n_parts in Counter(value for value, _ in pairs).values())


def training_section(folder: RunFolder) -> Section:
    """The curves and the last epoch."""
    found, problem = attempt(folder.metrics, lambda: _read_training(folder))
    return Section(
        "training",
        "Training",
        "Both losses should fall together; a validation loss that rises while the training loss "
        "falls means that the classifier has begun to memorise. The best checkpoint was chosen on "
        "the validation images, so their accuracy flatters it a little.",
        f"cellxai fit --config {shlex.quote(str(folder.config))}",
        found,
        problem,
    )


def _read_training(folder: RunFolder) -> Training:
    rows = read_rows(folder.metrics)
    alt = "Line charts of training and validation loss and accuracy by epoch."
    last = [(name.replace("_", " "), value) for name, value in rows[-1].items() if value]
    return Training(
        embed(folder.root, folder.root / "curves.png", alt),
        len({row["epoch"] for row in rows}),
        tuple((name, f"{float(value):.4g}") for name, value in last),
    )
