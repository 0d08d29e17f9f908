"""What runs differ in, as tables with a column for each run."""

from collections.abc import Sequence
from dataclasses import dataclass

from cellxai.report.evaluation.section import Part
from cellxai.report.printed_numbers import DASH, decimal, interval, percent
from cellxai.report.several.runs import RunResults


@dataclass(frozen=True)
class ComparedTable:
    """A table with a column for each run; every cell is text.

    Args:
        title: Its heading.
        about: How it is read.
        first: What the rows are.
        rows: Name of each row, with a cell for each run.
    """

    title: str
    about: str
    first: str
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def accuracy_table(runs: Sequence[RunResults]) -> ComparedTable:
    """Accuracy of the part that counts, with its interval, and of each class."""
    parts = [_judged(run) for run in runs]
    rows = {
        "judged on": [f"{p.n_images} {p.name} images" if p else DASH for p in parts],
        "accuracy": [percent(p.accuracy) if p else DASH for p in parts],
        "95 % interval": [interval(p.interval) if p else DASH for p in parts],
        "balanced accuracy": [percent(p.balanced_accuracy) if p else DASH for p in parts],
        "mean AUROC": [decimal(p.auroc, 3) if p else DASH for p in parts],
    }
    classes = dict.fromkeys(row.name for part in parts if part for row in part.classes)
    for name in classes:
        recalls = [
            next((row.recall for row in part.classes if row.name == name), None) if part else None
            for part in parts
        ]
        rows[f"recall of {name}"] = [percent(recall) for recall in recalls]
    return _table("How often each is right", "", "figure", rows)


def density_table(runs: Sequence[RunResults]) -> ComparedTable:
    """Known images flagged, and for every other set AUROC and share flagged."""
    found = [run.sections["density"].content for run in runs]
    alarms = [
        f"{percent(d.promise.used.share)} of {d.promise.used.n_images}" if d and d.promise else DASH
        for d in found
    ]
    rows = {"known images flagged": alarms}
    for name in dict.fromkeys(s.name for d in found if d for s in d.sets if s.auroc is not None):
        sets = [next((s for s in d.sets if s.name == name), None) if d else None for d in found]
        rows[f"{name}: AUROC"] = [decimal(s.auroc, 3) if s else DASH for s in sets]
        rows[f"{name}: flagged"] = [percent(s.share_flagged) if s else DASH for s in sets]
    about = "Known images that had no say, flagged by the threshold in use; then images that a run \
should not know."
    return _table("Which images each knows", about, "images", rows)


def rank_table(runs: Sequence[RunResults]) -> ComparedTable:
    """Mean rank of every explainer in every family of metrics."""
    ranks = [_ranks(run) for run in runs]
    names = dict.fromkeys(name for of_run in ranks for name in of_run)
    rows = {name: [of_run.get(name, DASH) for of_run in ranks] for name in names}
    about = "Mean rank, 1 the best; ✓ where it beats every control. Ranks of other explainers, or \
of other images, are no like for like."
    return _table("Which explainers each benchmark ranks first", about, "family: explainer", rows)


def _judged(run: RunResults) -> Part | None:
    content = run.sections["evaluation"].content
    return content.parts[0] if content else None


def _ranks(run: RunResults) -> dict[str, str]:
    benchmark = run.sections["benchmark"].content
    return {
        f"{family.name}: {line.explainer}": decimal(line.rank, 1)
        + (" ✓" if line.beats_controls == "yes" else "")
        for family in (benchmark.families if benchmark else ())
        for line in family.lines
    }


def _table(title: str, about: str, first: str, rows: dict[str, list[str]]) -> ComparedTable:
    """Rows in which at least one run says something."""
    told = {name: cells for name, cells in rows.items() if any(cell != DASH for cell in cells)}
    return ComparedTable(title, about, first, tuple((n, tuple(c)) for n, c in told.items()))
