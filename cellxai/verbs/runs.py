"""``runs``: the runs of a folder side by side, with what their settings differ in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

from cellxai.classifier.monitor import higher_is_better
from cellxai.data.pixels.planes import rename_colour
from cellxai.files.config import read_config
from cellxai.files.folder import RunFolder, find_runs, read_csv, read_json, write_csv
from cellxai.files.frame import Frame
from cellxai.files.returned import Returned
from cellxai.intervals.saved import read_interval
from cellxai.training.resuming import SAME_RESULTS, flatten

COLUMNS = (
    "run", "state", "validation", "part", "accuracy", "low", "high", "balanced_accuracy",
    "macro_f1", "epochs", "seconds", "density_flagged",
)  # fmt: skip
WIDEST = 40  # letters of a cell on the terminal; runs.csv has all


@dataclass(frozen=True)
class RunTable(Returned):
    """Runs side by side; as text one line per run.

    Args:
        path: The table as CSV.
        rows: A row per run, the best by validation first.
        problems: What could not be read, one line each.
    """

    path: Path
    rows: tuple[Mapping[str, str], ...]
    problems: tuple[str, ...]

    def to_frame(self) -> Frame:
        """A row per run, as text."""
        return Frame(self.rows)

    def __str__(self) -> str:
        names = [name for name in self.rows[0] if any(row[name] for row in self.rows)]
        lines = [[name.rpartition(".")[2] for name in names]]
        lines += [[row[name][:WIDEST] for name in names] for row in self.rows]
        widths = [max(len(line[place]) for line in lines) for place in range(len(names))]
        text = [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        notes = [
            f"{self.path}: {len(self.rows)} runs, the best by what chose their epoch first; the "
            "best of many is a little worse than it looks"
        ]
        return "\n".join([*text, *notes, *self.problems])


def runs(folder: Path, out: Path | None = None) -> RunTable:
    """Lists the runs below a folder: scores with intervals, cost, and settings that differ.

    Reads what their folders say and imports nothing. ``validation`` is the best value of what chose
    the epoch (``training.monitor``); ``accuracy`` that of the part that had least say in the
    training, with its 95 % interval, after `cellxai evaluate`; ``density_flagged`` the
    share of that part that the density flags, after `cellxai density`.

    Args:
        folder: With run folders in it, at any depth.
        out: The table as CSV; null for ``runs.csv`` in the folder.

    Raises:
        FileNotFoundError: If there is no run.
    """
    found = find_runs(folder)
    if not found:
        raise FileNotFoundError(
            f"folder={folder}: no run folder in it, expected some that `cellxai fit` made"
        )
    rows, settings, problems = [], [], []
    for path in found:
        try:
            row, own = read_run(RunFolder(path), str(path.relative_to(folder)))
        except (ValueError, OSError, LookupError, TypeError, AttributeError) as error:
            problems.append(f"not readable: {path}: {' '.join(str(error).split())}")
            continue
        rows.append(row)
        settings.append(own)
    differing = differing_options(settings)
    full = [
        row | {option: describe(own.get(option)) for option in differing}
        for row, own in zip(rows, settings, strict=True)
    ]
    if not full:
        raise ValueError(f"folder={folder}: no run can be read: {'; '.join(problems)}")
    full.sort(key=lambda row: (not row["validation"], -float(row.pop("worth"))))
    path = out or folder / "runs.csv"
    write_csv(path, full)
    return RunTable(path, tuple(full), tuple(problems))


def read_run(folder: RunFolder, name: str) -> tuple[dict[str, str], dict[str, Any]]:
    """The row of a run, and its settings by dotted option.

    ``worth`` is what the rows are sorted by.
    """
    config = rename_colour(read_config(folder.config))
    environment = read_json(folder.environment)
    epochs = read_csv(folder.metrics) if folder.metrics.is_file() else []
    monitor = (config.get("training") or {}).get("monitor", "validation_loss")
    values = [float(row[monitor]) for row in epochs if row.get(monitor)]
    best = (max if higher_is_better(monitor) else min)(values) if values else None
    row = {
        "run": name,
        "state": "finished" if environment.get("finished") else "unfinished",
        "validation": "" if best is None else f"{best:.4g} ({monitor.partition('_')[2]})",
        **read_scores(folder),
        "epochs": str(len(epochs)),
        "seconds": f"{float(environment.get('seconds', 0)):.0f}",
        "density_flagged": read_flagged(folder),
    }
    worth = 0.0 if best is None else best if higher_is_better(monitor) else -best
    return {column: row[column] for column in COLUMNS} | {"worth": str(worth)}, flatten(config)


def read_scores(folder: RunFolder) -> dict[str, str]:
    """The scores of the judged part; blanks without an evaluation."""
    names = ("part", "accuracy", "low", "high", "balanced_accuracy", "macro_f1")
    source = folder.evaluation / "report.json"
    if not source.is_file():
        return dict.fromkeys(names, "")
    report = read_json(source)
    part = report["judged_part"]
    scores = report["parts"][part]
    low, high = read_interval(scores["intervals"]["accuracy"]) or (nan, nan)
    figures = (scores["accuracy"], low, high, scores["balanced_accuracy"], scores["macro_f1"])
    return dict(zip(names, (part, *(f"{figure:.4f}" for figure in figures)), strict=True))


def read_flagged(folder: RunFolder) -> str:
    """The share of the test or else validation images that the density flags; blank without one."""
    source = folder.density / "summary.json"
    if not source.is_file():
        return ""
    sets = read_json(source)["sets"]
    shares = [sets[part]["share_flagged"] for part in ("test", "validation") if part in sets]
    return f"{shares[0]:.4f}" if shares else ""


def differing_options(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The options that do not have the same value in all runs, other than those of no result."""
    options = sorted({option for own in settings for option in own} - SAME_RESULTS)
    return [o for o in options if len({describe(own.get(o)) for own in settings}) > 1]


def describe(value: Any) -> str:
    """A setting as a cell."""
    return "" if value is None else str(value)
