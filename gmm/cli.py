"""The command line ``gmm``: which verb is which function."""

import sys
from pathlib import Path

from gmm.commandline.program import Verb, run

PROGRAM = "gmm"
TABLES = Path(__file__).parent / "verbs" / "help.json"
WHAT_NEXT = "gmm.verbs.what_next:what_next"
ABOUT = "batched Gaussian mixtures over matrices in .npy, .csv and .safetensors"

VERBS = {
    "fit": Verb("gmm.verbs.fit:fit", "fit one mixture, and a threshold for outliers"),
    "sweep": Verb(
        "gmm.verbs.sweep:sweep", "fit many K and covariance types, keep the best by BIC or AIC"
    ),
    "score": Verb(
        "gmm.verbs.score:score", "log-density of each row, in nats, and which are outliers"
    ),
    "sample": Verb("gmm.verbs.sample:sample", "draw new rows"),
    "plot": Verb("gmm.verbs.plot:plot", "a picture of the rows under their components"),
}


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run(PROGRAM, ABOUT, VERBS, tables=TABLES, what_next=WHAT_NEXT))


if __name__ == "__main__":
    main()
