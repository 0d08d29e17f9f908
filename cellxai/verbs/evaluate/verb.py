"""The verb ``evaluate``: how often a trained classifier is right, and where it is wrong."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellxai import intervals
from cellxai.data.grouping import with_columns
from cellxai.data.records import Fault, Record, Source
from cellxai.evaluation import calibration, conformal
from cellxai.evaluation.baseline import baseline_of_run
from cellxai.evaluation.class_calibration import ClassCalibration, read_calibration
from cellxai.evaluation.comparison import DEFINITION as COMPARISON
from cellxai.evaluation.judgement import PartJudgement, judge_part
from cellxai.evaluation.wells import DEFINITION as WELLS
from cellxai.files.folder import RunFolder, write_csv, write_json
from cellxai.files.frame import Frame, read_frame
from cellxai.files.identity import hash_tensors
from cellxai.files.returned import Returned
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import Device
from cellxai.verbs.evaluate.certainty import (
    calibrate_run,
    describe_sets,
    judge_sets,
    possible_classes,
    temperature_of_run,
)
from cellxai.verbs.evaluate.other_data import (
    NOTE,
    PART,
    OtherData,
    compare_with_run,
    describe_comparison,
    judge_other,
    note_known_images,
    read_other,
)
from cellxai.verbs.evaluate.pictures import draw_evaluation
from cellxai.verbs.evaluate.wells import describe_wells, flagged_by_density, judge_wells_of

NOTES = {
    "test": "the test images had no say in training, in the choice of the epoch or of a threshold",
    "validation": "the checkpoint was chosen on these validation images, so this is optimistic",
    "train": "all images were trained on, so this says nothing about new ones",
}


@dataclass(frozen=True)
class EvaluationSummary(Returned):
    """What ``evaluate`` found.

    Args:
        folder: Where predictions, report and pictures lie.
        accuracy: Share of right predictions, by part.
        judged_part: Name of the part whose accuracy is to be quoted.
        interval: 95 % interval of that accuracy.
        baseline: Accuracy of the pixel standard deviation alone on that part; ``None`` where no
            image could teach it.
        faults: Images that could not be read, or are new since the training, and were left out.
        notes: What else has to be known.
    """

    pictures = "*.png"

    folder: Path
    accuracy: dict[str, float]
    judged_part: str
    interval: tuple[float, float] | None = None
    baseline: float | None = None
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()

    def to_frame(self) -> Frame:
        """A row per image: its label, what was predicted, and the probability of each class."""
        return read_frame(
            self.folder / "predictions.csv", text=("id", "part", "label", "predicted")
        )

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of ``report.json``: every score of every part, with its intervals."""
        return json.loads((self.folder / "report.json").read_text(encoding="utf-8"))

    def __str__(self) -> str:
        figures = ", ".join(f"{part} {value:.3f}" for part, value in self.accuracy.items())
        line = f"{self.folder}: accuracy {figures}"
        if self.interval is not None:
            line += f" (95 % interval {self.interval[0]:.3f} to {self.interval[1]:.3f})"
        if self.baseline is not None:
            line += f", by the pixel standard deviation alone {self.baseline:.3f}"
        line += f"; {NOTES.get(self.judged_part, NOTE)}"
        return "\n".join([line, *self.notes, *(f"left out: {fault}" for fault in self.faults)])


def evaluate(
    run: Path,
    device: Device = "auto",
    data: Source | None = None,
    out: Path | None = None,
) -> EvaluationSummary:
    """Judges a trained run: predictions, scores with intervals, curves, calibration, mistakes.

    With ``data``, labelled images of another source are judged, beside the run's own and not over
    them: classes are matched by name, and images of other classes are counted and left out. The
    accuracy is compared with that of the run's judged part, image by image where ids and labels are
    those of its images.

    Args:
        run: The run folder of `cellxai fit`.
        device: Where to compute; "auto" takes a CUDA device when there is one.
        data: Other labelled images, prepared as the run's own; null for the run's own.
        out: With ``data``: folder of the results; null for ``evaluation/NAME`` in the run folder.

    Raises:
        ValueError: If no image of ``data`` has a class of the run, or can be read.
    """
    trained = load_run(run, device)
    if data is not None:
        return evaluate_other(trained, read_other(trained, data), out)
    if out is not None:
        raise ValueError(f"out={out} is for other images: pass data, or leave it out")
    return evaluate_run(trained)


def evaluate_once(run: Path, device: Device) -> None:
    """Judges a trained run, unless that was done before."""
    if not (RunFolder(run).evaluation / "report.json").exists():
        evaluate_run(load_run(run, device))


def evaluate_run(trained: TrainedRun) -> EvaluationSummary:
    """:func:`evaluate` of a run that is read already."""
    folder = trained.folder.evaluation
    parts = {part: judge_part(trained, part) for part in trained.parts}
    judged = trained.judged_part
    temperature = temperature_of_run(parts)
    weights = hash_tensors(trained.classifier.state_dict())
    kept = calibrate_run(trained, parts, weights)
    sets = judge_sets(kept, parts, trained.classes)
    baseline = baseline_of_run(trained, judged)
    records = {part: trained.images.records(part) for part in parts}
    rows = [
        row | {"possible_classes": possible}
        for part, judgement in parts.items()
        for row, possible in zip(
            prediction_rows(judgement, records[part], kept),
            possible_classes(kept, judgement, trained.classes),
            strict=True,
        )
    ]
    every = [record for part in parts for record in records[part]]
    write_csv(folder / "predictions.csv", with_columns(rows, every))
    wells = judge_wells_of(folder, parts, records, judged, flagged_by_density(trained.folder))
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
    add_wells(report, wells)
    write_json(folder / "report.json", report)
    draw_evaluation(
        folder, parts[judged], trained.images.records(judged), trained.images.images(judged),
        temperature.get("value"), trained.transforms.plane_names,
    )  # fmt: skip
    accuracy = {part: judgement.report["accuracy"] for part, judgement in parts.items()}
    interval = parts[judged].report["intervals"]["accuracy"]
    faults = (*trained.new_images, *trained.images.faults)
    return EvaluationSummary(
        folder, accuracy, judged, interval, baseline.get("accuracy"), faults,
        (*describe_wells(wells, judged), *describe_sets(sets)),
    )  # fmt: skip


def add_wells(report: dict[str, Any], wells: Mapping[str, Any]) -> None:
    """Adds what the wells say to a report, where any image names its well."""
    if wells:
        report["wells"] = dict(wells)
        report["definitions"]["wells"] = WELLS


def evaluate_other(trained: TrainedRun, other: OtherData, out: Path | None) -> EvaluationSummary:
    """Judges labelled images of another source."""
    folder = out or trained.folder.evaluation / other.name
    judged, weights = judge_other(trained, other), hash_tensors(trained.classifier.state_dict())
    comparison = compare_with_run(trained.folder, weights, other.records, judged)
    records = {other.name: other.records}
    wells = judge_wells_of(folder, {other.name: judged}, records, other.name, {})
    notes = (
        *describe_wells(wells, other.name),
        describe_comparison(comparison),
        *note_known_images(trained, other),
        *other.describe_unknown(),
    )
    known, _ = read_calibration(trained.folder.evaluation, weights, trained.classes)
    rows = with_columns(prediction_rows(judged, other.records, known), other.records)
    write_csv(folder / "predictions.csv", rows)
    report = {
        "classes": list(trained.classes),
        "parts": {other.name: judged.report},
        "judged_part": other.name, "note": NOTE, "notes": list(notes),
        "unknown_classes": dict(other.unknown), "comparison": comparison,
        "checkpoint": trained.checkpoint, "weights": weights,
        "definitions": {
            "intervals": intervals.DEFINITION, "calibration": calibration.DEFINITION,
            "comparison": COMPARISON,
        },
    }  # fmt: skip
    add_wells(report, wells)
    write_json(folder / "report.json", report)
    draw_evaluation(
        folder, judged, other.records, other.images.images(PART), None,
        trained.transforms.plane_names,
    )  # fmt: skip
    accuracy = {other.name: judged.report["accuracy"]}
    interval = judged.report["intervals"]["accuracy"]
    return EvaluationSummary(
        folder, accuracy, other.name, interval, None, other.faults, notes
    )  # fmt: skip


def prediction_rows(
    judged: PartJudgement, records: Sequence[Record], calibration_: ClassCalibration | None
) -> list[dict[str, Any]]:
    """One row per image: what it is, what was predicted, and how surely.

    ``p_NAME`` is the network's own probability; ``calibrated_NAME`` the one at the temperature, as
    ``score`` writes it, where there is one.
    """
    rows = []
    tempered = calibrated_cells(judged, calibration_)
    for record, p, cells in zip(records, judged.logits.softmax(-1), tempered, strict=True):
        predicted = int(p.argmax())
        row = {
            "id": record.id,
            "part": judged.part,
            "label": record.label,
            "predicted": judged.classes[predicted],
            "confidence": f"{p[predicted]:.6f}",
        }
        by_class = zip(judged.classes, p, strict=True)
        rows.append(row | {f"p_{name}": f"{share:.6f}" for name, share in by_class} | cells)
    return rows


def calibrated_cells(
    judged: PartJudgement, calibration_: ClassCalibration | None
) -> list[dict[str, str]]:
    """The calibrated probabilities of each image by their columns; blank without a temperature."""
    columns = [f"calibrated_{name}" for name in judged.classes]
    if calibration_ is None or calibration_.temperature is None:
        return [dict.fromkeys(columns, "")] * len(judged.logits)
    return [
        {column: f"{share:.6f}" for column, share in zip(columns, shares, strict=True)}
        for shares in calibration_.probabilities(judged.logits).tolist()
    ]
