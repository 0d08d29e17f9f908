"""Every verb of the command line as a function: ``from cellxai.api import fit, density, explain``.

Not in ``cellxai`` itself, where ``density``, ``explain`` and ``report`` are packages and modules.
"""

from cellxai.classifier.zoo import models
from cellxai.comparison import benchmark
from cellxai.crossvalidation import crossvalidate
from cellxai.data.synthetic import synthesize
from cellxai.density import density
from cellxai.evaluation import evaluate
from cellxai.explanation import explain
from cellxai.exporting import export, load_exported
from cellxai.inspection import check, preview
from cellxai.quickstart import quickstart
from cellxai.report.page import report
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
    "fit",
    "load_exported",
    "load_run",
    "models",
    "preview",
    "quickstart",
    "report",
    "synthesize",
]
