"""Measure your choice of explainers on a trained run, in Python: copy this file and edit it.

python scripts/compare_explainers.py [--run RUN] [--images-per-class N]
cost: 65 s of one CPU core; expect: a table of five explainers under two metrics
"""

import argparse
from pathlib import Path

from cellxai.api import benchmark
from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.backward.gradients import IntegratedGradients, Saliency
from cellxai.explain.base import Explainer
from cellxai.explain.controls import Edges, RandomAttribution
from cellxai.explain.metrics.base import ExplainerMetric, Metric
from cellxai.explain.metrics.faithfulness import DeletionAUC
from cellxai.explain.metrics.localisation import RelevanceMass

EXPLAINERS: dict[str, Explainer] = {
    "Saliency": Saliency(),
    "Integrated Gradients": IntegratedGradients(n_steps=16),
    "Grad-CAM": GradCam(),
    "edges (control)": Edges(),
    "random (control)": RandomAttribution(),
}
Judge = Metric | ExplainerMetric
METRICS: dict[str, Judge] = {"deletion": DeletionAUC(), "mass in cells": RelevanceMass("cells")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/quickstart"))
    parser.add_argument("--images-per-class", type=int, default=4)
    options = parser.parse_args()
    print(benchmark(options.run, EXPLAINERS, METRICS, images_per_class=options.images_per_class))


if __name__ == "__main__":
    main()
