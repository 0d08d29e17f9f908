"""The verb ``evaluate``: how often a trained classifier is right, and where it is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellxai.data.records import Fault
from cellxai.evaluation import calibration, conformal, intervals
from cellxai.evaluation.baseline import baseline_of_run
from cellxai.evaluation.class_calibration import CALIBRATION_FILE, ClassCalibration
from cellxai.evaluation.conformal import measure_coverage
from cellxai.evaluation.judgement import PartJudgement, judge_part
from cellxai.evaluation.temperature import cross_entropy, fit_temperature
from cellxai.files.folder import write_csv, write_json
from cellxai.files.identity import hash_tensors
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import Device
from cellxai.verbs.evaluate.pictures import draw_evaluation

ERROR_RATES = (0.05, 0.1, 0.2)  # whose sets are judged on the test images

NOTES = {
    "test": "the test images had no say in training, in the choice of the epoch or of a threshold",
    "validation": "the checkpoint was chosen on these validation images, so this is optimistic",
    "train": "all images were trained on, so this says nothing about new ones",
}


@dataclass(frozen=True)
class EvaluationSummary:
    """What ``evaluate`` found.

    Args:
        folder: Where predictions, report and pictures lie.
        accuracy: Share of right predictions, by part.
        judged_part: Name of the part whose accuracy is to be quoted.
        interval: 95 % interval of that accuracy (Wilson).
        baseline: Accuracy of the pixel standard deviation alone on that part; ``None`` where no
            image could teach it.
        faults: Images that could not be read, or are new since the training, and were left out.
        sets: How often the conformal sets held the class of the judged images; empty without them.
    """

    folder: Path
    accuracy: dict[str, float]
    judged_part: str
    interval: tuple[float, float] | None = None
    baseline: float | None = None
    faults: tuple[Fault, ...] = ()
    sets: str = ""

    def __str__(self) -> str:
        figures = ", ".join(f"{part} {value:.3f}" for part, value in self.accuracy.items())
        line = f"{self.folder}: accuracy {figures}"
        if self.interval is not None:
            line += f" (95 % interval {self.interval[0]:.3f} to {self.interval[1]:.3f})"
        if self.baseline is not None:
            line += f", by the pixel standard deviation alone {self.baseline:.3f}"
        line += f"; {NOTES[self.judged_part]}"
        lines = [line, *([self.sets] if self.sets else [])]
        return "\n".join([*lines, *(f"left out: {fault}" for fault in self.faults)])


def evaluate(run: Path, device: Device = "auto") -> EvaluationSummary:
    """Judges a trained run: predictions, scores with intervals, curves, calibration, mistakes.

    Args:
        run: The run folder of `cellxai fit`.
        device: Where to compute; "auto" takes a CUDA device when there is one.
    """
    return evaluate_run(load_run(run, device))


def evaluate_run(trained: TrainedRun) -> EvaluationSummary:
    """:func:`evaluate` of a run that is read already."""
    folder = trained.folder.evaluation
    parts = {part: judge_part(trained, part) for part in trained.parts}
    judged = trained.judged_part
    temperature = temperature_of_run(parts)
    weights = hash_tensors(trained.classifier.state_dict())
    sets = judge_sets(calibrate_run(trained, parts, weights), parts, trained.classes)
    baseline = baseline_of_run(trained, judged)
    rows = [row for part in parts for row in prediction_rows(trained, part)]
    write_csv(folder / "predictions.csv", rows)
    report = {
        "classes": list(trained.classes),
        "parts": {part: judgement.report for part, judgement in parts.items()},
        "judged_part": judged, "note": NOTES[judged],
        "temperature": temperature, "baseline": baseline,
        "checkpoint": trained.checkpoint,
        "weights": weights,
        "conformal": sets,
        "definitions": {
            "intervals": intervals.DEFINITION, "calibration": calibration.DEFINITION,
            "conformal": conformal.DEFINITION,
        },
    }  # fmt: skip
    write_json(folder / "report.json", report)
    draw_evaluation(trained, parts[judged], temperature.get("value"))
    accuracy = {part: judgement.report["accuracy"] for part, judgement in parts.items()}
    interval = parts[judged].report["intervals"]["accuracy"]["wilson"]
    return EvaluationSummary(
        folder,
        accuracy,
        judged,
        interval,
        baseline.get("accuracy"),
        (*trained.new_images, *trained.images.faults),
        describe_sets(sets),
    )


def prediction_rows(trained: TrainedRun, part: str) -> list[dict[str, Any]]:
    """One row per image: what it is, what was predicted, and how surely."""
    rows = []
    probabilities = trained.outputs(part)[0].softmax(-1)
    for record, p in zip(trained.images.records(part), probabilities, strict=True):
        predicted = int(p.argmax())
        row = {
            "id": record.id,
            "part": part,
            "label": record.label,
            "predicted": trained.classes[predicted],
            "confidence": f"{p[predicted]:.6f}",
        }
        by_class = zip(trained.classes, p, strict=True)
        rows.append(row | {f"p_{name}": f"{share:.6f}" for name, share in by_class})
    return rows


def calibrate_run(
    trained: TrainedRun, parts: dict[str, PartJudgement], weights: str
) -> ClassCalibration | None:
    """Keeps what the validation images say of the network's certainty, for ``score``."""
    if "validation" not in parts:
        (trained.folder.evaluation / CALIBRATION_FILE).unlink(missing_ok=True)
        return None
    validation = parts["validation"]
    kept = ClassCalibration.fit(weights, trained.classes, validation.logits, validation.labels)
    kept.save(trained.folder.evaluation)
    return kept


def judge_sets(
    kept: ClassCalibration | None, parts: dict[str, PartJudgement], classes: Sequence[str]
) -> dict[str, Any]:
    """Whether conformal sets keep their promise on the test images, by error rate and kind.

    Empty, but for a ``problem``, where no part may calibrate them.
    """
    if kept is None:
        return {"problem": "no validation part: the sets are calibrated on its images"}
    figures: dict[str, Any] = {"calibrated_on": "validation", "n_images": len(kept.labels)}
    for rate in ERROR_RATES:
        for name, by_class in (("overall", False), ("by_class", True)):
            classifier = kept.conformal(rate, by_class)
            entry: dict[str, Any] = {"unresolved": classifier.unresolved(classes)}
            if "test" in parts:
                test = parts["test"]
                entry["test"] = measure_coverage(
                    classifier.sets(test.logits), test.labels
                ).as_json()
            figures.setdefault(name, {})[f"{rate}"] = entry
    return figures


def describe_sets(sets: dict[str, Any]) -> str:
    """One line on the sets that miss the class of at most a tenth of the images."""
    entry = sets.get("overall", {}).get("0.1", {})
    if "test" not in entry:
        return ""
    judged = entry["test"]
    low, high = judged["interval"]
    return (
        f"sets of possible classes at 90 %: {judged['coverage']:.1%} of {judged['n_images']} test "
        f"images covered (95 % interval {low:.1%} to {high:.1%}), mean size "
        f"{judged['mean_size']:.2f}" + (f"; {entry['unresolved']}" if entry["unresolved"] else "")
    )


def temperature_of_run(parts: dict[str, PartJudgement]) -> dict[str, Any]:
    """The temperature of the validation images, and its effect on the test images.

    ``value`` is ``None``, with a ``problem``, where no part may set it; the judged part never does.
    """
    if not {"validation", "test"} <= {*parts}:
        lacking = " and ".join(part for part in ("validation", "test") if part not in parts)
        problem = f"no {lacking} part: it is fitted on validation images and judged on test images"
        return {"value": None, "problem": problem}
    validation, judged = parts["validation"], parts["test"]
    try:
        value = fit_temperature(validation.logits, validation.labels)
    except ValueError as error:
        return {"value": None, "problem": f"of the validation images, {error}"}
    before, after = (calibration_figures(judged, T) for T in (1.0, value))
    fit = {"value": value, "fitted_on": "validation", "n_images": len(validation.labels)}
    return {**fit, "judged_on": "test", "before": before, "after": after}


def calibration_figures(judged: PartJudgement, temperature: float) -> dict[str, float]:
    """Cross-entropy and calibration errors of a part at a temperature."""
    logits = judged.logits / temperature
    return {
        "negative_log_likelihood": cross_entropy(logits, judged.labels),
        **{f"ece_{name}": bins.error for name, bins in judged.reliabilities(temperature).items()},
    }
