"""Asks which images a trained classifier does not know, in Python: copy this file and edit it.

python scripts/score_density.py [--run RUN] [--unfamiliar FOLDER]
cost: 20 s of one CPU core; expect: about 4 % of the held-out images flagged, five images
"""

import argparse
from pathlib import Path

from cellxai.api import density
from cellxai.data.readers.sartorius import Sartorius
from cellxai.density import PipelineSettings
from cellxai.files.folder import read_csv

N_SHOWN = 5
OTHER = Path("runs/quickstart/data/other objective")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/quickstart"))
    parser.add_argument("--unfamiliar", type=Path, default=OTHER)
    parser.add_argument("--percent", type=float, default=4.0, help="of held-out images to flag")
    options = parser.parse_args()
    summary = density(
        options.run,
        PipelineSettings(percent=options.percent),
        unfamiliar={"unfamiliar": Sartorius(options.unfamiliar)},  # any Source, as many as you like
    )
    print(summary)
    rows = [row for row in read_csv(summary.folder / "scores.csv") if row["set"] != "train"]
    for row in sorted(rows, key=lambda row: float(row["log_p"]))[:N_SHOWN]:
        print(f"{row['id']} ({row['set']}): p = {row['p']}, {row['view']}")


if __name__ == "__main__":
    main()
