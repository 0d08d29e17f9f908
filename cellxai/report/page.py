"""The verb ``report``: the saved results of a run as one HTML page that needs no network."""

import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cellxai.report.benchmark import benchmark_section, benchmarks_of_scores
from cellxai.report.density import density_section
from cellxai.report.evaluation import evaluation_section
from cellxai.report.explanations import explanation_section
from cellxai.report.numbers import decimal, duration, figure, interval, nats, percent
from cellxai.report.reading import Section
from cellxai.report.training import Origin, data_section, read_origin, training_section
from cellxai.runfolder import RunFolder, atomic

CARD_ORDER = ("evaluation", "density", "benchmark", "explanations", "data")


@dataclass(frozen=True)
class ReportPage:
    """Where the page lies and what it lacks.

    Args:
        path: The page, one self-contained file.
        n_bytes: Its size.
        missing: Commands that make the sections which the run folder has no results for.
        problems: Files that are there and cannot be shown, one line each.
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
    """Make one self-contained HTML page from the results in a run folder.

    Reads saved results only: it needs no model, no data set and no GPU, and can be repeated after
    every other verb.

    Args:
        run: The run folder, as ``fit`` made it.

    Raises:
        FileNotFoundError: If it is no run folder.
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
    return ReportPage(
        folder.report,
        folder.report.stat().st_size,
        tuple(dict.fromkeys(one.command for one in sections if not (one.found or one.problem))),
        (*origin.problems, *(one.problem for one in sections if one.problem)),
    )


def read_sections(folder: RunFolder) -> tuple[Section, ...]:
    """The sections in the order of the page, with what the run folder has for each."""
    return (
        data_section(folder),
        training_section(folder),
        evaluation_section(folder, _command("evaluate", folder)),
        density_section(folder, _command("density", folder)),
        explanation_section(folder, _command("explain", folder)),
        benchmark_section(folder, _command("benchmark", folder)),
        *benchmarks_of_scores(folder),
    )


def _command(verb: str, folder: RunFolder) -> str:
    return f"cellxai {verb} --run {shlex.quote(str(folder.root))}"


def render(folder: RunFolder, origin: Origin, sections: tuple[Section, ...]) -> str:
    """The page as HTML. Whatever comes from the run folder is escaped."""
    found = {section.anchor: section.cards for section in sections}
    cards = [card for key in CARD_ORDER for card in found[key]] + list(origin.cards)
    page = _environment().get_template("page.html.jinja")
    return page.render(
        name=folder.root.resolve().name,
        rerun=f"cellxai fit --config {shlex.quote(str(folder.config))}",
        origin=origin,
        sections=sections,
        cards=cards,
    )


@cache
def _environment() -> Environment:
    # Labels and ids are whatever a stranger's CSV holds: escaping is on for every template.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "decimal": decimal,
        "figure": figure,
        "percent": percent,
        "nats": nats,
        "duration": duration,
        "interval": interval,
    }
    return environment
