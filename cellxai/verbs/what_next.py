"""What a reader may ask next: a line behind each verb's answer, with what it costs."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cellxai.files.folder import CONFIG, RunFolder, as_paths
from cellxai.report.page import command_on, smallest_benchmark

QUESTIONS: tuple[tuple[str, Callable[[RunFolder], Path], str], ...] = (
    ("evaluate", lambda run: run.evaluation, "how often it is right; as long as an epoch"),
    ("density", lambda run: run.density, "which images it does not know; as long as a few epochs"),
    ("explain", lambda run: run.explain, "what it looks at; under a minute"),
    ("benchmark", lambda run: run.benchmark, "whether to believe that; about a minute"),
)
"""Verbs, what they leave in a run folder, and what for."""

Words = Sequence[str]


def what_next(verb: str, words: Words, arguments: Mapping[str, Any]) -> str:
    """What to do after a verb, in one line; empty where nothing follows.

    Args:
        verb: Its name.
        words: What was typed after it.
        arguments: What it was called with.
    """
    follow = FOLLOWERS.get(verb)
    if follow:
        return follow(words, arguments)
    run = run_asked(arguments)
    return "" if run is None else after_run(run)


def run_asked(arguments: Mapping[str, Any]) -> RunFolder | None:
    """The run that a verb was called on; ``None`` where there were several, or what is no run."""
    paths = as_paths(arguments.get("run") or [])
    is_one = len(paths) == 1 and (paths[0] / CONFIG).is_file()
    return RunFolder(paths[0]) if is_one else None


def after_run(run: RunFolder) -> str:
    """The first question that a run has not been asked; then its page."""
    for verb, place, purpose in QUESTIONS:
        if not place(run).is_dir():
            typed = smallest_benchmark(run) if verb == "benchmark" else verb
            return f"{command_on(typed, run)}   # {purpose}"
    return f"{command_on('report', run)}   # all of it on one page; seconds"


def after_page(words: Words, arguments: Mapping[str, Any]) -> str:
    """The page is to be opened; a run without a benchmark has one question left."""
    run = run_asked(arguments)
    if run is None:
        return ""
    rest = "" if run.benchmark.is_dir() else f", or {after_run(run)}"
    return f"open {arguments.get('out') or run.report} in a browser{rest}"


def after_score(words: Words, arguments: Mapping[str, Any]) -> str:
    """The same images explained, where they are given by name."""
    images, run = arguments.get("images"), run_asked(arguments)
    if not images or run is None:
        return ""
    names = shlex.quote(images if isinstance(images, str) else ",".join(map(str, images)))
    return f"{command_on('explain', run)} --images {names}   # what the classes were seen by"


def same_data(verb: str, purpose: str) -> Callable[[Words, Mapping[str, Any]], str]:
    """Another verb on the data set that was typed."""

    def follow(words: Words, arguments: Mapping[str, Any]) -> str:
        kept = " ".join(map(shlex.quote, options_of("data", words)))
        return f"cellxai {verb} {kept}   # {purpose}" if kept else ""

    return follow


def options_of(group: str, words: Words) -> list[str]:
    """The words that are options of a group, ``--data.root X`` and ``--data.root=X`` alike."""
    kept: list[str] = []
    for place, word in enumerate(words):
        if word == f"--{group}" or word.startswith((f"--{group}.", f"--{group}=")):
            has_own = "=" in word or place + 1 == len(words)
            kept += [word] if has_own else [word, words[place + 1]]
    return kept


def after_cells(words: Words, arguments: Mapping[str, Any]) -> str:
    """Rendered cells are a data set with masks, like any other."""
    data = f"--data Sartorius --data.root {shlex.quote(str(arguments['out']))}"
    return f"cellxai preview {data}   # the images and what they vary in; seconds"


def after_folds(words: Words, arguments: Mapping[str, Any]) -> str:
    """The runs of a folder side by side."""
    folder = arguments.get("out") or arguments["run"]
    return f"cellxai runs {shlex.quote(str(folder))}   # the runs side by side; seconds"


FOLLOWERS: dict[str, Callable[[Words, Mapping[str, Any]], str]] = {
    "quickstart": after_page,
    "synthesize": after_cells,
    "check": same_data("preview", "the images and what they vary in; seconds"),
    "preview": same_data(
        "fit --run runs/mine", "trains with the defaults; --help and configs/fit have more"
    ),
    "models": lambda *_: "cellxai fit --help model   # --model.backbone.name takes such a name",
    "crossvalidate": after_folds,
    "grid": after_folds,
    "runs": lambda *_: "",
    "score": after_score,
    "features": lambda *_: "",
    "export": lambda *_: "",
    "report": after_page,
}
"""By verb, where it is not the next question of its run folder."""
