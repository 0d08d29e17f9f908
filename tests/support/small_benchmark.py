"""A benchmark of a fraction of a second, and what it left on disk."""

import math
from pathlib import Path

from cellxai.explain.base import Explainer
from cellxai.explain.controls import Edges, RandomAttribution
from cellxai.explain.metrics.complexity import Gini
from cellxai.explain.metrics.faithfulness import DeletionAUC
from cellxai.explain.metrics.localisation import PointingGame, RelevanceMass
from cellxai.explain.results.store import Store
from cellxai.explain.superpixels.methods import Grid
from cellxai.files.folder import read_csv

REGIONS = Grid(size_px=16)
METRICS = {
    "deletion": DeletionAUC(),
    "Gini": Gini(),
    "mass in cells": RelevanceMass("cells"),
    "pointing at cause": PointingGame("cause"),
}
EXPLAINERS = {"edges": Edges(), "random": RandomAttribution()}


class Interrupted(Explainer):
    """The random control, until somebody pulls the plug."""

    calls_left = math.inf

    def attribute(self, model, images, targets, context):
        if Interrupted.calls_left <= 0:
            raise KeyboardInterrupt
        Interrupted.calls_left -= 1
        return RandomAttribution().attribute(model, images, targets, context)


def stored(run: Path) -> Store:
    """The results of a run."""
    return Store(run / "benchmark" / "results.sqlite")


def table(folder: Path, name: str) -> list[dict[str, str]]:
    """A table without its times."""
    rows = read_csv(folder / f"{name}.csv")
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
