"""The page: the saved results of a run, section by section, as HTML that needs no network."""

import shlex

from cellxai.files.folder import RunFolder
from cellxai.report.answers import answer_questions, collect_doubts
from cellxai.report.benchmark.section import benchmark_section, benchmarks_of_scores
from cellxai.report.data.section import data_section
from cellxai.report.density.section import density_section
from cellxai.report.evaluation.section import evaluation_section
from cellxai.report.explanations.section import explanation_section
from cellxai.report.origin import Origin
from cellxai.report.pieces import Picture, Section
from cellxai.report.rendering import render_template
from cellxai.report.saved_files import embed_if_drawn
from cellxai.report.training.section import training_section

# A minute, where the default benchmark takes hours: whoever has none sees first what it is.
SMALLEST_BENCHMARK = "benchmark --config configs/benchmark/smoke.yaml"


def read_sections(folder: RunFolder) -> tuple[Section, ...]:
    """The sections in the order of the page, with what the run folder has for each."""
    return (
        evaluation_section(folder, _command("evaluate", folder)),
        explanation_section(folder, _command("explain", folder)),
        benchmark_section(folder, _command(SMALLEST_BENCHMARK, folder)),
        *benchmarks_of_scores(folder),
        density_section(folder, _command("density", folder)),
        training_section(folder),
        data_section(folder),
    )


def _command(verb: str, folder: RunFolder) -> str:
    return f"cellxai {verb} --run {shlex.quote(str(folder.root))}"


def render(folder: RunFolder, origin: Origin, sections: tuple[Section, ...]) -> str:
    """The page as HTML. Everything that comes from the run folder is escaped."""
    return render_template(
        "page.html.jinja",
        name=folder.root.resolve().name,
        rerun=f"cellxai fit --config {shlex.quote(str(folder.config))}",
        origin=origin,
        sections=sections,
        answers=answer_questions(sections),
        doubts=collect_doubts(sections),
        picture=first_picture(folder),
    )


def first_picture(folder: RunFolder) -> Picture | None:
    """What the page opens with: the explained images under their methods, if there are any."""
    alt = "Explained images, one per row, with the map of every method."
    return embed_if_drawn(folder.root, folder.explain / "grid.png", alt)
