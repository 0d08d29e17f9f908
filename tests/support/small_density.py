"""Settings of small densities, and what ``density`` left of them on disk."""

import json
from pathlib import Path

import numpy as np

from cellxai.density import PipelineSettings
from cellxai.density.densities import Mixture
from cellxai.density.detectors import Detector
from cellxai.density.views import Penultimate, Places, PooledLayer, Tones
from cellxai.files.folder import read_csv, write_csv
from cellxai.verbs.density.summary import DensitySummary

SETTINGS = PipelineSettings(
    views={
        "tones": Tones(planes=1),
        "places": Places("backbone.blocks.0", side=8),
        "blocks.1": PooledLayer("backbone.blocks.1"),
        "penultimate": Penultimate(
            Mixture(projection=2, n_components=(1, 2), covariance_types=("diag", "spherical"))
        ),
    },
    percent=30.0,
    n_folds=3,
)


class FirstFeature(Detector):
    """A detector of one's own."""

    def fit(self, features, logits, labels) -> None:
        self.sign_ = 1.0

    def confidence(self, features, logits):
        return self.sign_ * features[:, 0]


def move_parts(run: Path, moves: dict[str, str]) -> None:
    """Gives the images of a part to another one."""
    rows = read_csv(run / "split.csv")
    write_csv(
        run / "split.csv", [row | {"part": moves.get(row["part"], row["part"])} for row in rows]
    )


def column(summary: DensitySummary, name: str, wanted: str = "log_p") -> np.ndarray:
    """What ``scores.csv`` says of one set."""
    rows = read_csv(summary.folder / "scores.csv")
    return np.array([float(row[wanted]) for row in rows if row["set"] == name])


def figures(summary: DensitySummary) -> dict:
    """What ``summary.json`` says."""
    return json.loads((summary.folder / "summary.json").read_text())
