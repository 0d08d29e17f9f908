"""The page of several runs: those that are named side by side, or a list of those in a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cellxai.files.folder import RunFolder, atomic
from cellxai.files.returned import Returned
from cellxai.report.several.pages import render_comparison, render_index
from cellxai.report.several.runs import RunResults, read_results, tell_apart

COMPARISON, INDEX = "comparison.html", "runs.html"
BLANK = "–"


@dataclass(frozen=True)
class SeveralPage(Returned):
    """Where the page of several runs is.

    Args:
        path: Path of the page, one self-contained file.
        n_bytes: Size of the page.
        runs: The runs in it.
        problems: Run folders that could not be read, one line each.
    """

    path: Path
    n_bytes: int
    runs: tuple[Path, ...]
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        line = f"report: {self.path} ({self.n_bytes / 1e6:.1f} MB), {len(self.runs)} runs"
        return "\n".join([line, *(f"not readable: {problem}" for problem in self.problems)])


def compare_runs(paths: Sequence[Path], out: Path | None) -> SeveralPage:
    """The page of runs side by side, beside the page of the first.

    Raises:
        ValueError: If a run is named twice.
    """
    # With torch and Lightning: the page of one run needs neither.
    from cellxai.training.resuming import SAME_RESULTS, flatten
    from cellxai.verbs.report.paired import compare_accuracy

    whole = [path.resolve() for path in paths]
    for place, path in enumerate(whole):
        if path in whole[:place]:
            raise ValueError(f"run={paths[place]} is named twice, expected runs to compare")
    runs = [
        read_results(path, name) for path, name in zip(paths, tell_apart(list(paths)), strict=True)
    ]
    flat = [flatten(run.config) for run in runs]
    options = sorted({option for own in flat for option in own} - SAME_RESULTS)
    cells = {option: [describe(own.get(option)) for own in flat] for option in options}
    differing = {option: values for option, values in cells.items() if len(set(values)) > 1}
    page = out or RunFolder(paths[0]).report.with_name(COMPARISON)
    verdicts = [compare_accuracy(runs[0], other) for other in runs[1:]]
    n_bytes = write_html(page, render_comparison(runs, page, differing, verdicts))
    return SeveralPage(page, n_bytes, folders_of(runs))


def list_runs(folder: Path, paths: Sequence[Path], out: Path | None) -> SeveralPage:
    """The page that lists the runs of a folder."""
    page = out or folder / INDEX
    runs, problems = [], []
    for path in paths:
        try:
            runs.append(read_results(path, path.relative_to(folder).as_posix()))
        except (ValueError, OSError) as error:
            problems.append(f"{path}: {' '.join(str(error).split())}")
    n_bytes = write_html(page, render_index(runs, page, problems))
    return SeveralPage(page, n_bytes, folders_of(runs), tuple(problems))


def write_html(page: Path, html: str) -> int:
    """Writes a page, whole or not at all; returns its size in bytes."""
    with atomic(page) as temporary:
        # A label may hold half a surrogate pair, which JSON can spell and UTF-8 cannot.
        temporary.write_text(html, encoding="utf-8", errors="xmlcharrefreplace")
    return page.stat().st_size


def folders_of(runs: Sequence[RunResults]) -> tuple[Path, ...]:
    """Where the runs lie."""
    return tuple(run.folder.root for run in runs)


def describe(value: object) -> str:
    """A setting as a cell."""
    return BLANK if value is None else str(value)
