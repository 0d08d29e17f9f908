"""Every verb of the command line as a function: ``from cellxai.api import fit, density, explain``.

Not in ``cellxai`` itself, where ``density``, ``explain`` and ``report`` are packages and modules.
"""

from cellxai.benchmarking import benchmark, merge
from cellxai.classifier.zoo import models
from cellxai.crossvalidation import crossvalidate
from cellxai.data.synthetic import synthesize
from cellxai.density.verb import density
from cellxai.evaluation import evaluate
from cellxai.explanation import explain
from cellxai.exporting import export, load_exported
from cellxai.features import features
from cellxai.inspection import check, preview
from cellxai.quickstart import quickstart
from cellxai.report.page import report
from cellxai.screening import score
from cellxai.training.fit import fit
from cellxai.training.trained import load_run

__all__ = [
    "benchmark",
    "check",
    "crossvalidate",
    "density",
    "evaluate",
    "explain",
    "export",
    "features",
    "fit",
    "load_exported",
    "load_run",
    "merge",
    "models",
    "preview",
    "quickstart",
    "report",
    "score",
    "synthesize",
]
