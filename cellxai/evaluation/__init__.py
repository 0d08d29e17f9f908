"""How often a trained classifier is right, how certain that is, and whether it knows its mistakes.

The mathematics of the verb ``evaluate``, for any labels and logits.
"""

from cellxai.evaluation.calibration import (
    Reliability,
    equal_mass_bins,
    equal_width_bins,
    reliability,
)
from cellxai.evaluation.curves import ClassCurve, class_curve
from cellxai.evaluation.scores import judge
from cellxai.evaluation.temperature import fit_temperature

__all__ = [
    "ClassCurve",
    "Reliability",
    "class_curve",
    "equal_mass_bins",
    "equal_width_bins",
    "fit_temperature",
    "judge",
    "reliability",
]
