"""Every verb of the command line as a function: ``from cellxai.api import fit, density, explain``.

Not in ``cellxai`` itself, where ``density``, ``explain`` and ``report`` are packages and modules.
"""

from cellxai.trained.run import load_run
from cellxai.verbs.benchmark import benchmark
from cellxai.verbs.check import check
from cellxai.verbs.crossvalidate import crossvalidate
from cellxai.verbs.density import density
from cellxai.verbs.evaluate import evaluate
from cellxai.verbs.explain import explain
from cellxai.verbs.export import export, load_exported
from cellxai.verbs.features import features
from cellxai.verbs.fit import fit
from cellxai.verbs.grid import grid
from cellxai.verbs.merge import merge
from cellxai.verbs.models import models
from cellxai.verbs.preview import preview
from cellxai.verbs.quickstart import quickstart
from cellxai.verbs.report import report
from cellxai.verbs.runs import runs
from cellxai.verbs.score import score
from cellxai.verbs.synthesize import synthesize
from gmm.commandline.trust import allow

__all__ = [
    "allow",
    "benchmark",
    "check",
    "crossvalidate",
    "density",
    "evaluate",
    "explain",
    "export",
    "features",
    "fit",
    "grid",
    "load_exported",
    "load_run",
    "merge",
    "models",
    "preview",
    "quickstart",
    "report",
    "runs",
    "score",
    "synthesize",
]
