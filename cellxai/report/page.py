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
from cellxai.report.saved_files import attempt, dig, embed_if_drawn, read_json
from cellxai.report.training.section import training_section

# A minute, where the default benchmark takes hours: whoever has none sees first what it is.
SMALLEST_BENCHMARK = "benchmark --config configs/benchmark/smoke.yaml"


def read_sections(folder: RunFolder) -> tuple[Section, ...]:
    """The sections in the order of the page, with what the run folder has for each."""
    return (
        evaluation_section(folder, command_on("evaluate", folder)),
        explanation_section(folder, command_on("explain", folder)),
        benchmark_section(folder, command_on(smallest_benchmark(folder), folder)),
        *benchmarks_of_scores(folder),
        density_section(folder, command_on("density", folder)),
        training_section(folder),
        data_section(folder),
    )


def smallest_benchmark(folder: RunFolder) -> str:
    """The benchmark of a minute; of images that were not rendered, no scene can be asked."""
    saved, _ = attempt(folder.environment, lambda: read_json(folder.environment))
    rendered = dig(saved, "data", "synthetic") is not False
    return SMALLEST_BENCHMARK if rendered else f"{SMALLEST_BENCHMARK} --truth null"


def command_on(verb: str, folder: RunFolder) -> str:
    """A verb on a run folder, as it is typed."""
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
