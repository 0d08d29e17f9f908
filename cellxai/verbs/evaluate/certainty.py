"""How far probabilities can be trusted: what validation images say, judged on test images."""

from collections.abc import Sequence
from typing import Any

from cellxai.evaluation.class_calibration import CALIBRATION_FILE, ClassCalibration
from cellxai.evaluation.conformal import measure_coverage, name_sets
from cellxai.evaluation.judgement import PartJudgement
from cellxai.evaluation.temperature import cross_entropy, fit_temperature
from cellxai.trained.run import TrainedRun

ERROR_RATES = (0.05, 0.1, 0.2)  # whose sets are judged on the test images
SHOWN_RATE = 0.1  # whose sets stand in predictions.csv, as in scores.csv


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
                    classifier.sets(test.logits), test.labels, test.units
                ).as_json()
            figures.setdefault(name, {})[f"{rate}"] = entry
    return figures


def possible_classes(
    kept: ClassCalibration | None, judged: PartJudgement, classes: Sequence[str]
) -> list[str]:
    """The set of each test image at ``SHOWN_RATE``; blank for images that had a say in it."""
    if kept is None or judged.part != "test":
        return [""] * len(judged.labels)
    sets = kept.conformal(SHOWN_RATE).sets(judged.logits)
    return name_sets(sets, judged.logits, classes)


def describe_sets(sets: dict[str, Any]) -> tuple[str, ...]:
    """A line on the sets that miss the class of at most a tenth of the images; none without."""
    entry = sets.get("overall", {}).get("0.1", {})
    if "test" not in entry:
        return ()
    judged = entry["test"]
    low, high = judged["interval"]
    line = (
        f"sets of possible classes at 90 %: {judged['coverage']:.1%} of {judged['n_images']} test "
        f"images covered (95 % interval {low:.1%} to {high:.1%}), mean size "
        f"{judged['mean_size']:.2f}"
    )
    return (f"{line}; {entry['unresolved']}" if entry["unresolved"] else line,)


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
