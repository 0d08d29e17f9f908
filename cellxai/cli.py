"""The command line ``cellxai``: which verb is which function."""

import sys

from gmm.commandline import Verb, run

ABOUT = "what is an image classifier looking at, can that be believed, and does it know this image?"

VERBS = {
    "quickstart": Verb("cellxai.quickstart:quickstart", "everything once, on synthetic cells"),
    "synthesize": Verb("cellxai.data.synthetic:synthesize", "render cells whose cause is known"),
    "check": Verb("cellxai.inspection:check", "every fault of a data set"),
    "preview": Verb("cellxai.inspection:preview", "a picture of what the network sees, augmented"),
    "fit": Verb("cellxai.training.fit:fit", "train a classifier into a run folder"),
    "evaluate": Verb("cellxai.evaluation:evaluate", "predictions, report per class, confusion"),
    "density": Verb("cellxai.density:density", "which images does it not know?"),
    "explain": Verb("cellxai.explanation:explain", "what is it looking at? LIME and Captum"),
    "benchmark": Verb("cellxai.comparison:benchmark", "which explanation can be believed?"),
    "report": Verb("cellxai.report.page:report", "one self-contained page from a run"),
}  # fmt: skip


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run("cellxai", ABOUT, VERBS))


if __name__ == "__main__":
    main()
