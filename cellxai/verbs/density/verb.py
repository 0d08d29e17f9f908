"""``density``: which images does a classifier, or a mixture of raw pixels, not know?"""

from collections.abc import Mapping
from pathlib import Path

from cellxai.data.corruption import Corruption
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.pixels.corruptions import grade_all
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Source
from cellxai.data.splits import SplitSettings, keep_common, split_records
from cellxai.density.detectors import DEFAULT_DETECTORS, Detector
from cellxai.density.pipeline import PIPELINE_FILE
from cellxai.density.places import PLACES_FILE
from cellxai.density.settings import PipelineSettings, PlaceSettings
from cellxai.density.strangers import StrangerSettings
from cellxai.files.folder import RunFolder, write_json
from cellxai.trained.image_sets import FeatureSource, NetworkFeatures, PixelFeatures
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import Device
from cellxai.verbs.density.findings import DensityFindings, find_density
from cellxai.verbs.density.pictures import draw_density, draw_pixel_model
from cellxai.verbs.density.question import DensityQuestion
from cellxai.verbs.density.summary import DensitySummary, summarise_findings, summary_figures
from cellxai.verbs.density.tables import write_tables


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
    places: PlaceSettings | None = None,
    seed: int = 0,
    device: Device = "auto",
) -> DensitySummary:
    """Scores how well a trained classifier knows each image, and flags those it does not know.

    A mixture is fitted to the training images' penultimate features, or to raw pixels of --data.
    The validation images set the threshold, and the test images show what it does to new ones. The
    training images' own scores are too high: both network and mixture were fitted to them.

    Args:
        run: The run folder of `cellxai fit`; with data, the folder for results.
        pipeline: From features to a verdict.
        data: Images whose raw pixels are scored, instead of a run's features.
        split: With data: which images fit, set the threshold, are judged.
        transforms: With data: what happens to an image before its pixels are taken.
        folds: Number of folds, for raw pixels and for features that no image was trained for.
            Each image is then judged by a pipeline that the other folds fitted and, in folds
            again, set the threshold of; the one that is kept is fitted to all images. The split
            is not used.
        unfamiliar: More data sets to score, by name, that should not be known.
        corruptions: What is done to judged images, by name, before they are scored once more.
        every_severity: Whether each corruption is done at all its severities, and a curve drawn.
        left_out_class: A class that the density is fitted without, and whose held-out images
            should not be known. A classifier that was trained with it still knows it, which is
            warned of.
        detectors: Detectors to compare with, by name; null for six usual ones, {} for none.
        places: A second density, of single places in early layers of the network, by the same
            images: it finds small foreign objects, which an average over places hides. `explain
            --score places` shows where they are. Null for none.
        seed: Seed of the mixture's starts, the folds and the corruptions.
        device: Where to compute the features; "auto" takes a CUDA device when there is one.

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
        places=places,
        seed=seed,
    )
    source: FeatureSource
    if data is None:
        source = NetworkFeatures(load_run(run, device), pipeline.layer)
    else:
        source = read_pixels(data, run, split, transforms)
    return answer_question(source, question)


def density_of_run(
    trained: TrainedRun,
    pipeline: PipelineSettings = PipelineSettings(),
    unfamiliar: Mapping[str, Source] | None = None,
    seed: int = 0,
) -> DensitySummary:
    """:func:`density` of a run that is read already."""
    question = DensityQuestion(pipeline, StrangerSettings(unfamiliar or {}), seed=seed)
    return answer_question(NetworkFeatures(trained, pipeline.layer), question)


def read_pixels(
    data: Source, folder: Path, split: SplitSettings, transforms: Transforms
) -> PixelFeatures:
    """The raw pixels of a data set.

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
    return PixelFeatures(run_folder, CellImages(scan.records, parts, scan.classes, transforms))


def answer_question(source: FeatureSource, question: DensityQuestion) -> DensitySummary:
    """:func:`density` of features from any source."""
    findings = find_density(source, question)
    folder = source.folder.density
    folder.mkdir(parents=True, exist_ok=True)
    save_densities(folder, findings)
    write_tables(folder, findings)
    write_json(folder / "summary.json", summary_figures(findings))
    draw_density(folder, findings, question.strangers.corruptions)
    if isinstance(source, PixelFeatures):
        draw_pixel_model(folder, findings, question.seed)
    return summarise_findings(folder, findings)


def save_densities(folder: Path, findings: DensityFindings) -> None:
    """Writes the pipeline and the density of places, and deletes one of an earlier call."""
    findings.final.pipeline.save(folder / PIPELINE_FILE)
    if findings.places is not None:
        findings.places.density.save(folder / PLACES_FILE)
    else:
        (folder / PLACES_FILE).unlink(missing_ok=True)
