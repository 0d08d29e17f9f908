"""Every figure of one part of the images, from its logits and labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.evaluation.calibration import (
    Reliability,
    equal_mass_bins,
    equal_width_bins,
    reliability,
)
from cellxai.evaluation.curves import ClassCurve, class_curves, macro_average, resampled_auroc
from cellxai.evaluation.scores import judge, resampled_scores
from cellxai.evaluation.temperature import cross_entropy
from cellxai.evaluation.units import sampling_units, units_of_rarest_class
from cellxai.intervals.resampling import resampled_intervals
from cellxai.intervals.shares import grouped_share_interval
from cellxai.trained.run import TrainedRun

BINNINGS: dict[str, Callable[[Float[np.ndarray, " n"]], Int[np.ndarray, " n"]]] = {
    "equal_width": equal_width_bins,
    "equal_mass": equal_mass_bins,
}


@dataclass(frozen=True)
class PartJudgement:
    """One part of the images, with the network's outputs and the figures that follow from them.

    Args:
        part: Name of the part.
        classes: Names of the classes, in the order of the logits.
        logits: The network's logits, on the CPU.
        labels: True classes.
        units: What is independent of others: see ``units.sampling_units``.
    """

    part: str
    classes: Sequence[str]
    logits: Float[Tensor, "n k"]
    labels: Int[Tensor, " n"]
    units: Int[np.ndarray, " n"]

    @property
    def predicted(self) -> Int[Tensor, " n"]:
        """The class of the highest logit."""
        return self.logits.argmax(-1)

    def probabilities(self, temperature: float = 1.0) -> Float[np.ndarray, "n k"]:
        """Softmax of the logits, in float64, where a confidence of 1 − 1e-9 is not 1."""
        return (self.logits.double() / temperature).softmax(-1).numpy()

    def reliabilities(self, temperature: float = 1.0) -> dict[str, Reliability]:
        """Confidence against accuracy, in bins of equal width and of equal mass."""
        confidence = self.probabilities(temperature).max(-1)
        right = (self.predicted == self.labels).numpy()
        return {
            name: reliability(confidence, right, bins(confidence))
            for name, bins in BINNINGS.items()
        }

    @cached_property
    def curves(self) -> list[ClassCurve]:
        """Each class against the rest."""
        return class_curves(self.classes, self.probabilities(), self.labels.numpy())

    @cached_property
    def report(self) -> dict[str, Any]:
        """All figures of the part as plain values for JSON."""
        scores = judge(self.labels, self.predicted, self.classes, self.units)
        return {
            **scores,
            "intervals": self.intervals(),
            "ranking": self.ranking(),
            "calibration": self.calibration(),
        }

    def intervals(self) -> dict[str, Any]:
        """95 % intervals by figure."""
        labels, probabilities = self.labels.numpy(), self.probabilities()
        predicted, n_classes = self.predicted.numpy(), len(self.classes)
        drawn = resampled_intervals(
            lambda weights: {
                **resampled_scores(labels, predicted, n_classes, weights),
                "macro_auroc": resampled_auroc(probabilities, labels, weights),
            },
            self.units,
            units_of_rarest_class(labels, self.units),
        )
        accuracy = grouped_share_interval(labels == predicted, self.units)
        return {"n_units": int(self.units.max()) + 1, **drawn, "accuracy": accuracy}

    def ranking(self) -> dict[str, Any]:
        """Areas under the ROC and the precision-recall curve; a class without them says why."""
        per_class = {
            curve.name: {"auroc": curve.auroc, "average_precision": curve.average_precision}
            | ({"problem": curve.problem} if curve.problem else {})
            for curve in self.curves
        }
        return {
            "macro_auroc": macro_average([curve.auroc for curve in self.curves]),
            "macro_average_precision": macro_average(
                [curve.average_precision for curve in self.curves]
            ),
            "per_class": per_class,
        }

    def calibration(self) -> dict[str, Any]:
        """Cross-entropy, and for each binning the ECE beside what chance alone would produce."""
        figures: dict[str, Any] = {
            "negative_log_likelihood": cross_entropy(self.logits, self.labels),
            "mean_confidence": float(self.probabilities().max(-1).mean()),
        }
        for name, bins in self.reliabilities().items():
            mean, quantile = bins.if_calibrated
            figures[name] = {
                "ece": bins.error,
                "if_calibrated": {"mean": mean, "quantile_95": quantile},
                "counts": bins.counts.tolist(),
                "confidence": bins.confidence.tolist(),
                "accuracy": bins.accuracy.tolist(),
            }
        return figures


def judge_part(trained: TrainedRun, part: str) -> PartJudgement:
    """Judges a part of a run by the network's outputs."""
    logits, _ = trained.outputs(part)
    units = sampling_units(trained.images.records(part))
    return PartJudgement(part, trained.classes, logits, trained.labels(part), units)
