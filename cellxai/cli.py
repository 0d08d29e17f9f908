"""The command line ``cellxai``: which verb is which function."""

import os
import sys
from pathlib import Path

from gmm.commandline import Verb, run

PROGRAM = "cellxai"
TABLES = Path(__file__).parent / "verbs" / "help.json"
WHAT_NEXT = "cellxai.verbs.what_next:what_next"
ABOUT = "what is an image classifier looking at, can that be believed, and does it know this image?"

VERBS = {
    "quickstart": Verb("cellxai.verbs.quickstart:quickstart", "everything, on synthetic cells"),
    "synthesize": Verb("cellxai.verbs.synthesize:synthesize", "render cells whose cause is known"),
    "check": Verb("cellxai.verbs.check:check", "every fault of a data set"),
    "preview": Verb("cellxai.verbs.preview:preview", "a data set in pictures and numbers"),
    "models": Verb("cellxai.verbs.models:models", "networks, their size and weights", "pattern"),
    "fit": Verb("cellxai.verbs.fit:fit", "train a classifier into a run folder"),
    "crossvalidate": Verb("cellxai.verbs.crossvalidate:crossvalidate", "every image judged once"),
    "grid": Verb("cellxai.verbs.grid:grid", "a run for each combination of settings"),
    "runs": Verb("cellxai.verbs.runs:runs", "the runs of a folder in one table", "folder"),
    "evaluate": Verb("cellxai.verbs.evaluate:evaluate", "how often is it right, how sure is that?"),
    "density": Verb("cellxai.verbs.density:density", "which images does it not know?"),
    "features": Verb("cellxai.verbs.features:features", "what a layer makes of any images"),
    "score": Verb("cellxai.verbs.score:score", "new images: what are they, are they known?"),
    "explain": Verb("cellxai.verbs.explain:explain", "what is it looking at? LIME and Captum"),
    # A word for the run as well: torchrun takes --run for an option of its own.
    "benchmark": Verb("cellxai.verbs.benchmark:benchmark", "which explanation to believe?", "run"),
    "merge": Verb("cellxai.verbs.merge:merge", "the shards of a benchmark in one table", "run"),
    "export": Verb("cellxai.verbs.export:export", "weights and a card for another machine"),
    "report": Verb(
        "cellxai.verbs.report:report", "one self-contained page from a run, or of several",
        several="run",
    ),
    "view": Verb("cellxai.verbs.view:view", "a live page: drop images, get answers", several="run"),
}  # fmt: skip


def main() -> None:
    """Entry point of the console script; of processes that train together only one prints."""
    if os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) != "0":
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - until the process ends
    sys.exit(run(PROGRAM, ABOUT, VERBS, without_moved_data(sys.argv[1:]), TABLES, WHAT_NEXT))


def without_moved_data(words: list[str]) -> list[str]:
    """The words without what says where a run's data set lies now, such as ``--data.root NEW``."""
    asks = words and words[0] in VERBS and any(word.startswith("--data.") for word in words)
    if not asks:
        return words
    from cellxai.training.moved_data import take_moved_data

    return [words[0], *take_moved_data(words[1:], VERBS[words[0]].load())]


if __name__ == "__main__":
    main()
