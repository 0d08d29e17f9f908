"""Labelled images of another source, judged beside the run's own."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cellxai.data.grouping import group_records, value_of
from cellxai.data.loading.copied_images import (
    copies_between,
    describe_copies,
    details_of_pictures,
)
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.records import Fault, Record, Scan, Source
from cellxai.evaluation.comparison import compare_pairs, compare_shares
from cellxai.evaluation.judgement import PartJudgement
from cellxai.evaluation.units import sampling_units
from cellxai.files.config import as_config
from cellxai.files.folder import RunFolder, read_csv, read_json
from cellxai.files.identity import hash_json
from cellxai.intervals.saved import read_interval
from cellxai.trained.run import TrainedRun

KEY_LENGTH = 8  # letters that tell data sets apart in the names of folders
NOTE = "labelled images of another source"
PART = "test"  # that all of them are in, for what reads them


@dataclass(frozen=True)
class OtherData:
    """Images of another source that have a class of the run.

    Args:
        name: Class of the source and a hash of its settings.
        images: The images, prepared as the run's own.
        unknown: Number of the images by their class, of classes that the run does not know.
        faults: What could not be read and was left out.
    """

    name: str
    images: CellImages
    unknown: Mapping[str, int]
    faults: tuple[Fault, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        """The images that are judged."""
        return self.images.records(PART)

    def describe_unknown(self) -> list[str]:
        """A line for the classes that the run does not know."""
        if not self.unknown:
            return []
        counts = ", ".join(f"{label} {n}" for label, n in sorted(self.unknown.items()))
        return [f"not judged, for the run has no such class: {counts}"]


def read_other(trained: TrainedRun, data: Source) -> OtherData:
    """The images of a source whose class the run knows, matched by its name.

    Raises:
        ValueError: If there is none, or none can be read.
    """
    scan = grouped_alike(data.scan(), trained.settings.split.group_by)
    known = [record for record in scan.records if record.label in trained.classes]
    name = f"{type(data).__name__}-{hash_json(as_config(data))[:KEY_LENGTH]}"
    if not known:
        raise ValueError(
            f"data: no image has a class of the run; got {', '.join(scan.classes) or 'no image'}, "
            f"expected some of {', '.join(trained.classes)}"
        )
    images = CellImages(
        known, dict.fromkeys((record.id for record in known), PART), trained.classes,
        trained.transforms, trained.settings.training.batch_size, loading=trained.settings.loading,
    )  # fmt: skip
    unknown = Counter(r.label for r in scan.records if r.label not in trained.classes)
    return OtherData(name, images, unknown, (*scan.faults, *images.faults))


def grouped_alike(scan: Scan, names: Sequence[str]) -> Scan:
    """The data set with the groups of the run's split, where it has the columns of these."""
    if any(not value_of(record, name) for record in scan.records for name in names):
        return scan
    return replace(scan, records=tuple(group_records(scan.records, names)))


def judge_other(trained: TrainedRun, other: OtherData) -> PartJudgement:
    """Judges them by the network's outputs."""
    logits, _ = trained.outputs_of(other.images, PART)
    units = sampling_units(other.records)
    return PartJudgement(
        other.name, trained.classes, logits, other.images.labels(PART), units
    )  # fmt: skip


def compare_with_run(
    folder: RunFolder, weights: str, records: Sequence[Record], judged: PartJudgement
) -> dict[str, Any]:
    """How the accuracy differs from that of the run's judged part, as ``evaluate`` wrote it.

    Args:
        folder: The run folder.
        weights: Hash of the weights that judged these images.
        records: The images, in the order of the judgement.
        judged: What was predicted of them.
    """
    source = folder.evaluation / "report.json"
    report = read_json(source) if source.is_file() else {}
    if report.get("weights") != weights:
        return {"problem": "the run itself is not evaluated; `cellxai evaluate` without data first"}
    part = report["judged_part"]
    rows = [r for r in read_csv(folder.evaluation / "predictions.csv") if r["part"] == part]
    own = {(row["id"], row["label"]): row["predicted"] == row["label"] for row in rows}
    right = (judged.predicted == judged.labels).numpy()
    keys = [(record.id, record.label) for record in records]
    shared = np.array([key in own for key in keys])
    if shared.any():
        of_run = np.array([own[key] for key in keys if key in own])
        return {"part": part, **compare_pairs(of_run, right[shared], judged.units[shared])}
    of_part, here = report["parts"][part], judged.report
    of_run, of_these = (read_interval(f["intervals"]["accuracy"]) for f in (of_part, here))
    assert of_run is not None
    assert of_these is not None
    return {
        "part": part,
        **compare_shares(of_part["accuracy"], of_run, here["accuracy"], of_these, here["n_images"]),
    }


def describe_comparison(comparison: Mapping[str, Any]) -> str:
    """The comparison as a line."""
    if "problem" in comparison:
        return f"not compared with the run's own images: {comparison['problem']}"
    figures = (
        f"{comparison['accuracy']:.3f} here, {comparison['accuracy_of_run']:.3f} on the run's "
        f"{comparison['part']} images"
    )
    low, high = comparison["interval"]
    difference = f"a difference of {comparison['difference']:+.3f} ({low:+.3f} to {high:+.3f})"
    if comparison["kind"] == "paired":
        return (
            f"paired on {comparison['n_images']} images of equal id: {figures}; right here alone "
            f"{comparison['right_here_alone']}, there alone {comparison['right_in_run_alone']} "
            f"(McNemar p {comparison['p_value']:.3g}): {difference}"
        )
    return f"{figures}: {difference}"


def note_known_images(trained: TrainedRun, other: OtherData) -> list[str]:
    """A line where images show what trained the run: of those the accuracy says nothing."""
    try:
        learnt = trained.images.records("train"), trained.images.images("train")
    except (OSError, ValueError):
        return ["the run's own images are not at hand, so whether any is among these is not known"]
    seen, judged = details_of_pictures(learnt[1]), details_of_pictures(other.images.images(PART))
    sets = {"training": (learnt[0], seen), "here": (other.records, judged)}
    copies = copies_between(sets)
    if not copies:
        return []
    return [
        f"copies of images that trained the run, of which the accuracy says nothing: "
        f"{describe_copies(copies)} (of {len(other.records)})"
    ]
