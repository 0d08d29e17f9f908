"""How often a trained classifier is right, how sure that is, and whether it knows when it is not.

``evaluate`` is the verb; the other names are its mathematics, usable on any labels and logits.
"""

from cellxai.evaluation.calibration import (
    Reliability,
    equal_mass_bins,
    equal_width_bins,
    reliability,
)
from cellxai.evaluation.curves import ClassCurve, class_curve
from cellxai.evaluation.intervals import bootstrap, wilson
from cellxai.evaluation.scores import judge
from cellxai.evaluation.temperature import fit_temperature
from cellxai.evaluation.verb import NOTES, Evaluation, evaluate, evaluate_run

__all__ = [
    "NOTES",
    "ClassCurve",
    "Evaluation",
    "Reliability",
    "bootstrap",
    "class_curve",
    "equal_mass_bins",
    "equal_width_bins",
    "evaluate",
    "evaluate_run",
    "fit_temperature",
    "judge",
    "reliability",
    "wilson",
]
