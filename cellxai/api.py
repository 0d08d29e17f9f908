"""Every verb of the command line as a function: ``from cellxai.api import fit, density, explain``.

Paths may be text, in settings too: ``fit(ImageFolder("images"), "runs/mine")``. What comes back
prints as the command line prints it; in a notebook with its pictures. ``.to_frame()`` is its table,
``.show()`` its pictures, and ``explain("runs/mine").maps`` its maps.

Not in ``cellxai`` itself, where ``density``, ``explain`` and ``report`` are packages and modules.
A model of your own needs no run: ``from cellxai.explain import explain, measure, compare``.
"""

import cellxai.trained.run
import cellxai.verbs.benchmark
import cellxai.verbs.check
import cellxai.verbs.crossvalidate
import cellxai.verbs.density
import cellxai.verbs.evaluate
import cellxai.verbs.explain
import cellxai.verbs.export
import cellxai.verbs.features
import cellxai.verbs.fit
import cellxai.verbs.grid
import cellxai.verbs.merge
import cellxai.verbs.models
import cellxai.verbs.preview
import cellxai.verbs.quickstart
import cellxai.verbs.report
import cellxai.verbs.runs
import cellxai.verbs.score
import cellxai.verbs.synthesize
import cellxai.verbs.view
from cellxai.files.text_paths import taking_text
from cellxai.verbs.export import load_exported
from gmm.commandline.trust import allow

benchmark = taking_text(cellxai.verbs.benchmark.benchmark)
check = taking_text(cellxai.verbs.check.check)
crossvalidate = taking_text(cellxai.verbs.crossvalidate.crossvalidate)
density = taking_text(cellxai.verbs.density.density)
evaluate = taking_text(cellxai.verbs.evaluate.evaluate)
explain = taking_text(cellxai.verbs.explain.explain)
export = taking_text(cellxai.verbs.export.export)
features = taking_text(cellxai.verbs.features.features)
fit = taking_text(cellxai.verbs.fit.fit)
grid = taking_text(cellxai.verbs.grid.grid)
load_run = taking_text(cellxai.trained.run.load_run)
merge = taking_text(cellxai.verbs.merge.merge)
models = taking_text(cellxai.verbs.models.models)
preview = taking_text(cellxai.verbs.preview.preview)
quickstart = taking_text(cellxai.verbs.quickstart.quickstart)
report = taking_text(cellxai.verbs.report.report)
runs = taking_text(cellxai.verbs.runs.runs)
score = taking_text(cellxai.verbs.score.score)
synthesize = taking_text(cellxai.verbs.synthesize.synthesize)
view = taking_text(cellxai.verbs.view.view)

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
    "view",
]
