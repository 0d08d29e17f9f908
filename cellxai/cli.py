"""The command line ``cellxai``: which verb is which function."""

import os
import sys
from pathlib import Path

from gmm.commandline import Verb, run

ABOUT = "what is an image classifier looking at, can that be believed, and does it know this image?"

VERBS = {
    "quickstart": Verb("cellxai.quickstart:quickstart", "everything once, on synthetic cells"),
    "synthesize": Verb("cellxai.data.synthetic:synthesize", "render cells whose cause is known"),
    "check": Verb("cellxai.inspection:check", "every fault of a data set"),
    "preview": Verb("cellxai.inspection:preview", "a data set in pictures and numbers"),
    "models": Verb("cellxai.classifier.zoo:models", "networks, their size and weights", "pattern"),
    "fit": Verb("cellxai.training.fit:fit", "train a classifier into a run folder"),
    "crossvalidate": Verb("cellxai.crossvalidation:crossvalidate", "every image judged once"),
    "evaluate": Verb("cellxai.evaluation:evaluate", "how often is it right, how sure is that?"),
    "density": Verb("cellxai.density.verb:density", "which images does it not know?"),
    "features": Verb("cellxai.features:features", "what a layer makes of any images"),
    "score": Verb("cellxai.screening:score", "new images: what are they, are they known?"),
    "explain": Verb("cellxai.explanation:explain", "what is it looking at? LIME and Captum"),
    # A word for the run as well: torchrun takes --run for an option of its own.
    "benchmark": Verb("cellxai.benchmarking:benchmark", "which explanation to believe?", "run"),
    "merge": Verb("cellxai.benchmarking:merge", "the shards of a benchmark in one table", "run"),
    "export": Verb("cellxai.exporting:export", "weights and a card for another machine"),
    "report": Verb("cellxai.report.page:report", "one self-contained page from a run"),
}  # fmt: skip


def main() -> None:
    """Entry point of the console script; of several processes that train together one reports."""
    if os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) != "0":
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - until the process ends
    sys.exit(run("cellxai", ABOUT, VERBS))


if __name__ == "__main__":
    main()
