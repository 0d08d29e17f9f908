"""The verb itself: which page is asked for."""

from dataclasses import dataclass
from pathlib import Path

from cellxai.files.folder import CONFIG, RunFolder, as_paths, find_runs
from cellxai.files.returned import Returned
from cellxai.report.origin import read_origin
from cellxai.report.page import read_sections, render
from cellxai.verbs.report.several import SeveralPage, compare_runs, list_runs, write_html


@dataclass(frozen=True)
class ReportPage(Returned):
    """Where the page is, and what it lacks.

    Args:
        path: Path of the page, one self-contained file.
        n_bytes: Size of the page.
        missing: Commands that make the sections for which the run folder has no results.
        problems: Files that exist and cannot be shown, one line each.
    """

    path: Path
    n_bytes: int
    missing: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"report: {self.path} ({self.n_bytes / 1e6:.1f} MB)"]
        lines += [f"not in it yet: {command}" for command in self.missing]
        return "\n".join(lines + [f"not readable: {problem}" for problem in self.problems])


def report(run: list[Path] | Path, out: Path | None = None) -> ReportPage | SeveralPage:
    """Makes one self-contained HTML page from the results in a run folder, or of several runs.

    It reads saved results only: it needs no data set and no GPU, and can be repeated after every
    other verb. Several runs stand side by side: settings that differ, accuracy with a paired test
    on common images, density, ranks of the benchmarks. A folder of runs gives a page that lists
    them.

    Args:
        run: The run folder, as `fit` made it; repeated for runs to compare; or a folder of runs.
        out: The page; null for report/index.html in the run, report/comparison.html in the first
            run, or runs.html in the folder of runs.

    Raises:
        FileNotFoundError: If it is neither a run folder nor a folder of runs.
        ValueError: If a run is named twice.
    """
    paths = as_paths(run)
    if len(paths) > 1:
        for path in paths:
            check_run_folder(path)
        return compare_runs(paths, out)
    (path,) = paths or [Path()]
    if not (path / CONFIG).is_file() and (inside := find_runs(path)):
        return list_runs(path, inside, out)
    check_run_folder(path)
    return report_run(path, out)


def check_run_folder(path: Path) -> None:
    """Raises ``FileNotFoundError`` for what is no run folder."""
    if not (path / CONFIG).is_file():
        raise FileNotFoundError(
            f"run={path}: no config.yaml in it, expected a run folder; make one with 'cellxai fit'"
        )


def report_run(run: Path, out: Path | None) -> ReportPage:
    """The page of one run."""
    folder = RunFolder(run)
    page = out or folder.report
    origin, sections = read_origin(folder), read_sections(folder)
    n_bytes = write_html(page, render(folder, origin, sections))
    empty = [section for section in sections if not (section.content or section.problem)]
    return ReportPage(
        page,
        n_bytes,
        tuple(dict.fromkeys(section.command for section in empty)),
        (*origin.problems, *(section.problem for section in sections if section.problem)),
    )
