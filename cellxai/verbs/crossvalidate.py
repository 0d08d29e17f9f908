"""``crossvalidate``: every image is judged once, by a classifier that has not seen it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from rich.console import Console

from cellxai.classifier.module import ModelSettings
from cellxai.data.loading.settings import LoadingSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Record, Source
from cellxai.data.split_settings import LEAVE_ONE_OUT
from cellxai.data.splits import SplitSettings, group_scan, groups_left_out, keep_common
from cellxai.evaluation import baseline
from cellxai.evaluation.baseline import classes_by_spread, spread_by_fold
from cellxai.evaluation.scores import judge, resampled_scores
from cellxai.evaluation.units import sampling_units, units_of_rarest_class
from cellxai.files.folder import RunFolder, read_csv, read_json, write_csv, write_json
from cellxai.files.frame import Frame, read_frame
from cellxai.files.returned import Returned
from cellxai.intervals import DEFINITION as INTERVALS
from cellxai.intervals import grouped_share_interval, resampled_intervals
from cellxai.training.measured import as_recorded
from cellxai.training.run_settings import RunSettings
from cellxai.training.settings import TrainingSettings
from cellxai.verbs.evaluate import evaluate_once
from cellxai.verbs.fit import Fitted, fit_run

FIGURES = ("accuracy", "balanced_accuracy", "macro_f1")
DEFINITION = (
    "over_folds: mean and sample standard deviation of the folds' figures. out_of_fold: all images "
    "together, each predicted once, by the fold that neither trained nor validated on it; its "
    "intervals take the images for independent, though the folds share most of what they learnt "
    "from. baseline: the pixel standard deviation under the same folds"
)
Rows = Sequence[Mapping[str, str]]
Classes = Int[np.ndarray, " n"]


@dataclass(frozen=True)
class CrossValidation(Returned):
    """What ``crossvalidate`` measured.

    Args:
        folder: Where the folds, ``crossvalidation.json`` and ``crossvalidation.csv`` lie.
        report: The content of ``crossvalidation.json``.
    """

    folder: Path
    report: Mapping[str, Any]

    def to_frame(self) -> Frame:
        """A row per image: its fold, label, and what the network that had not seen it predicted."""
        return read_frame(self.folder / "crossvalidation.csv", text=("id", "label", "predicted"))

    def __str__(self) -> str:
        pooled, over = self.report["out_of_fold"], self.report["over_folds"]["accuracy"]
        floor = self.report["baseline"]["out_of_fold"]
        return "\n".join(
            [
                f"{self.folder}: {pooled['n_images']} images in {len(self.report['folds'])} folds: "
                f"accuracy {over['mean']:.3f} ± {over['sd']:.3f} over folds",
                f"each image judged once, unseen: {describe_figures(pooled)}",
                f"by the pixel standard deviation alone: {describe_figures(floor)}",
                *(f"not used: {fault}" for fault in self.report["left_out"]),
            ]
        )


def describe_figures(figures: Mapping[str, Any]) -> str:
    """Accuracy and balanced accuracy with their intervals."""
    accuracy, balanced = (figures["intervals"][name] for name in FIGURES[:2])
    return (
        f"accuracy {figures['accuracy']:.3f} {describe_interval(accuracy)}, "
        f"balanced {figures['balanced_accuracy']:.3f} {describe_interval(balanced)}"
    )


def describe_interval(interval: Sequence[float] | None) -> str:
    """A 95 % interval, or that there is none."""
    if interval is None:
        return "(no interval: one unit)"
    return f"(95 % interval {interval[0]:.3f} to {interval[1]:.3f})"


def crossvalidate(
    data: Source,
    run: Path,
    split: SplitSettings = SplitSettings(n_folds=5, rare_classes="leave_out"),
    transforms: Transforms = Transforms(),
    model: ModelSettings = ModelSettings(),
    training: TrainingSettings = TrainingSettings(),
    loading: LoadingSettings = LoadingSettings(),
    seed: int = 0,
) -> CrossValidation:
    """Trains and judges one classifier a fold, and every image once; a killed call continues.

    With ``--split.n_folds leave_one_out --split.group_by [plate]`` each plate is a fold.
    Every fold is a run folder, RUN/fold-0 and so on, that all other verbs take. Its test images
    are judged by its classifier; together they are all images. Broken images, and classes with
    fewer images than folds, are left out and named.

    Args:
        data: Where the images are; --data.help CLASS lists a reader's options.
        run: Folder of the folds and of what they say together.
        split: Number of folds, or ``leave_one_out``, and the share that validates; every fold is
            tested, so ``fold`` must stay 0.
        transforms: What happens to an image before the network.
        model: The network.
        training: How it is trained.
        loading: How the images are kept and brought to the network.
        seed: Seed of the weights, the order and the augmentation.

    Raises:
        ValueError: If the split has no folds or chooses one, the settings do not fit the data, or
            the folder holds another run.
    """
    settings = RunSettings(data, run, split, transforms, model, training, loading, seed)
    check_folds(split)
    names, console = fold_names(data, split), Console(stderr=True, highlight=False, soft_wrap=True)
    predictions: list[dict[str, str]] = []
    for fold, name in enumerate(names):
        fitted = fit_fold(settings, fold)
        console.print(f"{fold + 1}/{len(names)} {name}{fitted}", markup=False)
        predictions += [{"fold": str(fold), **row} for row in tested_images(fold_folder(run, fold))]
    records = {record.id: record for record in group_scan(data.scan(), split).records}
    judged = [records[row["id"]] for row in predictions]
    prepared = [
        as_recorded(settings, fold_folder(run, fold)).transforms for fold in range(len(names))
    ]
    report, rows = judge_folds(run, judged, predictions, prepared)
    for figures, name in zip(report["folds"], names, strict=True):
        figures |= {"left_out": name.removesuffix(": ")} if name else {}
    write_csv(run / "crossvalidation.csv", rows)
    write_json(run / "crossvalidation.json", report)
    return CrossValidation(run, report)


def fit_fold(settings: RunSettings, fold: int) -> Fitted:
    """Trains the classifier of one fold, and judges it unless that was done before."""
    folder = fold_folder(settings.run, fold)
    split = replace(settings.split, fold=fold)
    fitted = fit_run(replace(settings, run=folder.root, split=split))
    evaluate_once(folder.root, settings.training.device)
    return fitted


def fold_folder(run: Path, fold: int) -> RunFolder:
    """The run folder of one fold."""
    return RunFolder(run / f"fold-{fold}")


def check_folds(split: SplitSettings) -> None:
    """Refuses a split that does not test every image once.

    Raises:
        ValueError: If there are no folds, a file parts the images, or one fold is chosen.
    """
    if split.n_folds is None or split.file is not None:
        raise ValueError(
            f"split.n_folds={split.n_folds} and split.file={split.file}: expected a number of "
            "folds and no file; pass --split.n_folds 5 --split.file null"
        )
    if split.fold:
        raise ValueError(f"split.fold={split.fold}: every fold is tested; expected 0, or use fit")


def fold_names(data: Source, split: SplitSettings) -> list[str]:
    """What each fold leaves out, for the line of its result; empty where folds are drawn.

    Raises:
        ValueError: If there is nothing to leave out.
    """
    if split.n_folds != LEAVE_ONE_OUT:
        return [""] * int(split.n_folds or 0)
    scan = keep_common(group_scan(data.scan(), split), split)
    return [f"{group}: " for group in groups_left_out(scan.records, split)]


def tested_images(folder: RunFolder) -> list[dict[str, str]]:
    """What a fold predicted of the images that it has not seen."""
    rows = read_csv(folder.evaluation / "predictions.csv")
    return [row for row in rows if row.pop("part") == "test"]


def judge_folds(
    run: Path, records: Sequence[Record], predictions: Rows, transforms: Sequence[Transforms]
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """What the folds say together, and the table of all images.

    Args:
        run: The folder of the folds.
        records: The image of each prediction.
        predictions: What each image is predicted as by the fold that tested it.
        transforms: What each fold does to an image, with the levels that it measured.
    """
    classes = read_json(fold_folder(run, 0).evaluation / "report.json")["classes"]
    labels, predicted = (
        np.array([classes.index(row[column]) for row in predictions])
        for column in ("label", "predicted")
    )
    folds = np.array([int(row["fold"]) for row in predictions])
    n_folds = int(folds.max()) + 1
    trained = [trained_images(fold_folder(run, fold), records) for fold in range(n_folds)]
    spreads = spread_by_fold(records, transforms)
    by_spread = classes_by_spread(spreads, labels, folds, trained, len(classes))
    units = sampling_units(records)
    report = {
        "classes": classes,
        **summarise_folds(labels, predicted, folds, units, classes),
        "baseline": {
            "definition": baseline.DEFINITION,
            **summarise_folds(labels, by_spread, folds, units, classes),
        },
        "left_out": list_left_out(run, n_folds),
        "definitions": {"crossvalidation": DEFINITION, "intervals": INTERVALS},
    }
    rows = [
        {**row, "by_pixel_sd": classes[place]}
        for row, place in zip(predictions, by_spread, strict=True)
    ]
    return report, rows


def summarise_folds(
    labels: Classes, predicted: Classes, folds: Classes, units: Classes, classes: Sequence[str]
) -> dict[str, Any]:
    """Figures of each fold, their mean and standard deviation, and those of all images together."""
    by_fold = [
        {"fold": fold, **judge_classes(labels[own], predicted[own], classes, units[own])}
        for fold in np.unique(folds).tolist()
        for own in [folds == fold]
    ]
    over = {
        name: {"mean": mean(values), "sd": stdev(values)}
        for name in FIGURES
        for values in [[figures[name] for figures in by_fold]]
    }
    pooled = judge_classes(labels, predicted, classes, units)
    drawn = resampled_intervals(
        lambda weights: resampled_scores(labels, predicted, len(classes), weights),
        units,
        units_of_rarest_class(labels, units),
    )
    own = drawn | {"accuracy": grouped_share_interval(labels == predicted, units)}
    n_units = int(units.max()) + 1
    return {
        "folds": by_fold,
        "over_folds": over,
        "out_of_fold": {**pooled, "n_units": n_units, "intervals": own},
    }


def judge_classes(
    labels: Classes, predicted: Classes, classes: Sequence[str], units: Classes
) -> dict[str, Any]:
    """Scores of some images."""
    return judge(torch.from_numpy(labels), torch.from_numpy(predicted), classes, units)


def trained_images(folder: RunFolder, records: Sequence[Record]) -> np.ndarray:
    """Whether each image trained a fold's classifier."""
    trained = {row["id"] for row in read_csv(folder.split) if row["part"] == "train"}
    return np.array([record.id in trained for record in records])


def list_left_out(run: Path, n_folds: int) -> list[str]:
    """The images and classes that no fold could use, and why, each named once."""
    environments = [read_json(fold_folder(run, fold).environment) for fold in range(n_folds)]
    return list(dict.fromkeys(fault for start in environments for fault in start["data"]["faults"]))
