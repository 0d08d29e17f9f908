"""The verb ``report``: the saved results of a run as one HTML page that needs no network."""

from dataclasses import dataclass
from pathlib import Path

from cellxai.files.folder import RunFolder, atomic
from cellxai.files.returned import Returned
from cellxai.report.origin import read_origin
from cellxai.report.page import read_sections, render


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


def report(run: Path) -> ReportPage:
    """Makes one self-contained HTML page from the results in a run folder.

    It reads saved results only: it needs no model, no data set and no GPU, and can be repeated
    after every other verb.

    Args:
        run: The run folder, as ``fit`` made it.

    Raises:
        FileNotFoundError: If it is not a run folder.
    """
    folder = RunFolder(run)
    if not folder.config.is_file():
        raise FileNotFoundError(
            f"run={run}: no config.yaml in it, expected a run folder; make one with 'cellxai fit'"
        )
    origin, sections = read_origin(folder), read_sections(folder)
    html = render(folder, origin, sections)
    with atomic(folder.report) as temporary:
        # A label may hold half a surrogate pair, which JSON can spell and UTF-8 cannot.
        temporary.write_text(html, encoding="utf-8", errors="xmlcharrefreplace")
    empty = [section for section in sections if not (section.content or section.problem)]
    return ReportPage(
        folder.report,
        folder.report.stat().st_size,
        tuple(dict.fromkeys(section.command for section in empty)),
        (*origin.problems, *(section.problem for section in sections if section.problem)),
    )
