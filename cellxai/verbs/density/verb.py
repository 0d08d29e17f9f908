"""``density``: which images does a classifier, or a mixture of raw pixels, not know?"""

from collections.abc import Mapping
from pathlib import Path

from cellxai.data.corruption import Corruption
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.loading.measuring import with_levels
from cellxai.data.pixels.corruptions import grade_all
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Source
from cellxai.data.splits import SplitSettings, keep_common, split_records
from cellxai.density.detectors import DEFAULT_DETECTORS, Detector
from cellxai.density.observing import (
    network_views,
    observe_pixels,
    observe_run,
    pixel_views_of,
)
from cellxai.density.pipeline import PIPELINE_FILE
from cellxai.density.settings import PipelineSettings
from cellxai.density.strangers import StrangerSettings
from cellxai.density.views import View
from cellxai.files.folder import RunFolder, read_json, write_json
from cellxai.files.identity import hash_tensors
from cellxai.trained.image_sets import FeatureSource, NetworkFeatures, PixelFeatures
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import Device
from cellxai.verbs.density.findings import DensityFindings, find_density
from cellxai.verbs.density.pictures import draw_density, draw_pixel_model
from cellxai.verbs.density.question import DensityQuestion
from cellxai.verbs.density.summary import DensitySummary, summarise_findings, summary_figures
from cellxai.verbs.density.tables import write_tables
from cellxai.verbs.density.warnings import find_warnings

PLACES_FILE = "places.safetensors"  # of earlier releases


def density(
    run: Path,
    pipeline: PipelineSettings = PipelineSettings(),
    data: Source | None = None,
    split: SplitSettings = SplitSettings(),
    transforms: Transforms = Transforms(),
    folds: int | None = None,
    unfamiliar: dict[str, Source] | None = None,
    corruptions: dict[str, Corruption] | None = None,
    every_severity: bool = False,
    left_out_class: str | None = None,
    detectors: dict[str, Detector] | None = None,
    seed: int = 0,
    device: Device = "auto",
) -> DensitySummary:
    """Says of each image whether a trained classifier knows it, and what it makes of such images.

    Asked of every depth, from the pixels to the logits, the most surprised views decide. Training
    and validation images say what is usual, each scored by densities of other images; the test
    images have no say and show what the threshold does to new ones. See docs/density.md.

    Args:
        run: The run folder of `cellxai fit`; with data, the folder for results.
        pipeline: The views of an image, and how many known images may be flagged.
        data: Images whose raw pixels are looked at, instead of a run's network.
        split: With data: which images fit, and which are judged.
        transforms: With data: what happens to an image before its pixels are taken.
        folds: Number of folds, for raw pixels and for networks that no image was trained for. Each
            image is then judged by a pipeline of the other folds; the one that is kept is fitted to
            all images. The split is not used.
        unfamiliar: More data sets to score, by name, that should not be known.
        corruptions: What is done to judged images, by name, before they are scored once more.
        every_severity: Whether each corruption is done at all its severities, and a curve drawn.
        left_out_class: A class that nothing is fitted to, and whose held-out images should not be
            known. A classifier that was trained with it still knows it, which is warned of.
        detectors: Detectors to compare with, by name; null for six usual ones, {} for none.
        seed: Seed of the folds, the mixtures' starts and the corruptions.
        device: Where to compute; "auto" takes a CUDA device when there is one.

    Raises:
        ValueError: If no image was held out, a setting does not fit the images, or a set has the
            name of another or no readable image.
        FileNotFoundError: If the run or the data do not exist.
    """
    if every_severity:
        corruptions = grade_all(corruptions or {})
    question = DensityQuestion(
        pipeline=pipeline,
        strangers=StrangerSettings(unfamiliar or {}, corruptions or {}, left_out_class),
        folds=folds,
        detectors=DEFAULT_DETECTORS if detectors is None else detectors,
        seed=seed,
    )
    if data is None:
        return answer_for_run(load_run(run, device), question)
    folder, images = read_pixels(data, run, split, transforms)
    views = pixel_views_of(images, pipeline.views)
    return answer_question(observe_pixels(folder, images, views), views, question)


def density_of_run(
    trained: TrainedRun,
    pipeline: PipelineSettings = PipelineSettings(),
    unfamiliar: Mapping[str, Source] | None = None,
    seed: int = 0,
) -> DensitySummary:
    """:func:`density` of a run that is read already."""
    question = DensityQuestion(pipeline, StrangerSettings(unfamiliar or {}), seed=seed)
    return answer_for_run(trained, question)


def answer_for_run(trained: TrainedRun, question: DensityQuestion) -> DensitySummary:
    """:func:`density` of a run's network."""
    views = network_views(trained, question.pipeline.views)
    return answer_question(observe_run(trained, views), views, question)


def read_pixels(
    data: Source, folder: Path, split: SplitSettings, transforms: Transforms
) -> tuple[RunFolder, CellImages]:
    """The folder for results, and the images of a data set.

    Raises:
        ValueError: If the folder is that of a trained run, whose results would be replaced.
    """
    run_folder = RunFolder(folder)
    if run_folder.config.exists():
        raise ValueError(
            f"run={folder}: holds a trained classifier, whose density is of its features; leave "
            "data out, or pass another folder"
        )
    scan = keep_common(data.scan(), split)
    parts = split_records(scan.records, split)
    training = [record for record in scan.records if parts.get(record.id) == "train"]
    return run_folder, CellImages(
        scan.records, parts, scan.classes, with_levels(transforms, training)
    )  # fmt: skip


def answer_question(
    source: FeatureSource, views: Mapping[str, View], question: DensityQuestion
) -> DensitySummary:
    """:func:`density` of images from any source."""
    findings = find_density(source, views, question)
    folder = source.folder.density
    folder.mkdir(parents=True, exist_ok=True)
    summary = folder / "summary.json"
    earlier = read_json(summary) if summary.is_file() else {}
    left_out = question.strangers.left_out_class
    warnings = find_warnings(findings, left_out, earlier if isinstance(earlier, dict) else {})
    save_pipeline(folder, findings, source)
    write_tables(folder, findings)
    write_json(summary, summary_figures(findings, warnings))
    draw_density(folder, findings, question.strangers.corruptions)
    if isinstance(source, PixelFeatures):
        draw_pixel_model(folder, findings, question.seed)
    return summarise_findings(folder, findings, warnings)


def save_pipeline(folder: Path, findings: DensityFindings, source: FeatureSource) -> None:
    """Writes the pipeline, and deletes what an earlier release left."""
    weights = ""
    if isinstance(source, NetworkFeatures):
        weights = hash_tensors(source.trained.classifier.state_dict())
    findings.final.pipeline.save(folder / PIPELINE_FILE, weights)
    (folder / PLACES_FILE).unlink(missing_ok=True)
