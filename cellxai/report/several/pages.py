"""The pages of several runs as HTML."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cellxai.report.rendering import render_template
from cellxai.report.several.runs import RunResults
from cellxai.report.several.tables import ComparedTable, accuracy_table, density_table, rank_table

SETTINGS = "Settings that differ; a run that lacks one has a dash."


def render_comparison(
    runs: Sequence[RunResults],
    page: Path,
    settings: Mapping[str, Sequence[str]],
    verdicts: Sequence[str],
) -> str:
    """Runs side by side.

    Args:
        runs: At least two.
        page: Where the page will lie: links to the runs' own pages start there.
        settings: Settings that differ, with a value for each run.
        verdicts: Whether the accuracies differ, a sentence for each run after the first.
    """
    options = tuple((name, tuple(values)) for name, values in settings.items())
    accuracy, *others = (accuracy_table(runs), density_table(runs), rank_table(runs))
    return render_template(
        "several/comparison.html.jinja",
        runs=runs,
        links=[run.link_from(page) for run in runs],
        verdicts=verdicts,
        accuracy=accuracy,
        tables=[
            *(table for table in others if table.rows),
            ComparedTable("Settings", SETTINGS, "setting", options),
        ],
    )


def render_index(runs: Sequence[RunResults], page: Path, problems: Sequence[str]) -> str:
    """The runs of a folder as a list, the newest first.

    Args:
        runs: In any order.
        page: Where the page will lie: links to the runs' own pages start there.
        problems: Run folders that could not be read, one line each.
    """
    newest = sorted(runs, key=lambda run: run.made, reverse=True)
    return render_template(
        "several/index.html.jinja",
        name=page.resolve().parent.name,
        runs=[(run, run.link_from(page)) for run in newest],
        problems=problems,
    )
