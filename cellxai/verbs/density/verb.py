"""``density``: which images does a classifier, or a mixture of raw pixels, not know?"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from jaxtyping import Int
from torch import Tensor

from cellxai.data.corruption import Corruption
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.pixels.corruptions import grade_all
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Source
from cellxai.data.splits import SplitSettings, keep_common, split_records
from cellxai.density.comparison import compare, reliability
from cellxai.density.detectors import (
    ClassGaussians,
    Detector,
    Energy,
    Mahalanobis,
    MaxSoftmax,
    NearestNeighbours,
    RelativeMahalanobis,
)
from cellxai.density.known import Known, deal, known_images, usable_images
from cellxai.density.place_rounds import find_places, unfitted_places
from cellxai.density.rounds import (
    Roles,
    Round,
    fit_round,
    roles_of_all,
    roles_of_folds,
    roles_of_parts,
)
from cellxai.density.scores import OUT_OF_FOLD, score_known, score_out_of_fold, score_strangers
from cellxai.density.settings import PipelineSettings, PlaceSettings
from cellxai.density.strangers import Sought, find_strangers
from cellxai.files.folder import RunFolder
from cellxai.trained.image_sets import FeatureSource, NetworkFeatures, PixelFeatures
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import Device
from cellxai.verbs.density.pictures import draw_all, draw_pixel_model
from cellxai.verbs.density.results import Found, in_words, warnings_of, write_tables
from cellxai.verbs.density.summary import Density

DETECTORS: Mapping[str, Detector] = {
    "max softmax": MaxSoftmax(),
    "energy": Energy(),
    "Mahalanobis": Mahalanobis(),
    "relative Mahalanobis": RelativeMahalanobis(),
    "nearest neighbours": NearestNeighbours(),
    "Gaussian per class": ClassGaussians(),
}


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
) -> Density:
    """Scores how well a trained classifier knows each image, and flags those it does not know.

    A mixture is fitted to the training images' penultimate features, or to raw pixels of --data.
    The validation images set the threshold, and the test images say what it does to new ones: the
    training images' own scores are too good, since network and mixture were fitted to them.

    Args:
        run: The run folder of `cellxai fit`; with data, the folder for results.
        pipeline: From features to a verdict.
        data: Images whose raw pixels are scored, instead of a run's features.
        split: Of data: which images fit, set the threshold, are judged.
        transforms: Of data: what happens to an image before its pixels are taken.
        folds: For raw pixels, and features that no image was trained for: each image is judged in
            turn by a pipeline that the other folds fitted and, in folds again, set the threshold
            of; what is kept is fitted to all. The split is then not used.
        unfamiliar: More data sets to score, by name, that should not be known.
        corruptions: Judged images are scored once more with each of these done to them, by name.
        every_severity: Whether each corruption is done at all its severities, and a curve drawn.
        left_out_class: The density is fitted without this class, and its held-out images should
            not be known; a classifier that was trained with it still knows it, which is warned of.
        detectors: To compare with, by name; null for six known ones, {} for none.
        places: A second density, of single places in early layers of the network, by the same
            images: it finds small foreign objects, which an average over places hides. `explain
            --score places` shows where they are. Null for none.
        seed: Of the mixture's starts, the folds and the corruptions.
        device: Where to compute the features; "auto" takes a CUDA device when there is one.

    Raises:
        ValueError: If no image was held out, a setting does not fit the images, or a set is named
            like another or has no readable image.
        FileNotFoundError: If the run or the data do not exist.
    """
    spoilt = grade_all(corruptions or {}) if every_severity else corruptions or {}
    sought = Sought(unfamiliar or {}, spoilt, left_out_class)
    source: FeatureSource
    if data is None:
        source = NetworkFeatures(load_run(run, device), pipeline.layer)
    else:
        source = pixels_of(data, run, split, transforms)
    return density_of(source, pipeline, folds, sought, detectors, places, seed)


def density_of_run(
    trained: TrainedRun,
    pipeline: PipelineSettings = PipelineSettings(),
    unfamiliar: Mapping[str, Source] | None = None,
    seed: int = 0,
) -> Density:
    """:func:`density` of a run that is read already."""
    source = NetworkFeatures(trained, pipeline.layer)
    return density_of(source, pipeline, None, Sought(unfamiliar or {}), seed=seed)


def pixels_of(
    data: Source, folder: Path, split: SplitSettings, transforms: Transforms
) -> PixelFeatures:
    """The raw pixels of a data set.

    Raises:
        ValueError: If the folder is that of a trained run, whose results would be replaced.
    """
    place = RunFolder(folder)
    if place.config.exists():
        raise ValueError(
            f"run={folder}: holds a trained classifier, whose density is of its features; leave "
            "data out, or pass another folder"
        )
    scan = keep_common(data.scan(), split)
    parts = split_records(scan.records, split)
    return PixelFeatures(place, CellImages(scan.records, parts, scan.classes, transforms))


def density_of(
    source: FeatureSource,
    settings: PipelineSettings = PipelineSettings(),
    folds: int | None = None,
    sought: Sought = Sought(),
    detectors: Mapping[str, Detector] | None = None,
    places: PlaceSettings | None = None,
    seed: int = 0,
) -> Density:
    """:func:`density` of features from anywhere."""
    found = find(source, settings, folds, sought, detectors, places, seed)
    folder = source.folder.density
    folder.mkdir(parents=True, exist_ok=True)
    write_tables(folder, found)
    draw_all(folder, found, sought.corruptions)
    if isinstance(source, PixelFeatures):
        draw_pixel_model(folder, found, seed)
    pipeline = found.final.pipeline
    return Density(
        folder, in_words(found.final), found.warnings, pipeline.threshold, pipeline.gap_nats,
        found.shares_flagged, tuple(found.table), dict(found.faults), found.places,
    )  # fmt: skip


def find(
    source: FeatureSource,
    settings: PipelineSettings,
    folds: int | None,
    sought: Sought,
    detectors: Mapping[str, Detector] | None,
    places: PlaceSettings | None,
    seed: int,
) -> Found:
    """Everything that ``density`` computes."""
    unfitted = None if places is None else unfitted_places(source, places, seed)
    known = known_images(source)
    usable = usable_images(known, sought.left_out_class)
    dealt = deal(source, known, folds, seed)
    fit = partial(
        fit_round, known, settings=settings, seed=seed,
        detectors=DETECTORS if detectors is None else detectors,
    )  # fmt: skip
    rounds = [fit(one) for one in roles(source, known, dealt, usable)]
    final = rounds[0] if dealt is None else fit(roles_of_all(dealt, usable))
    strangers = find_strangers(source, known, rounds, sought, seed)
    measured = reliability(known, rounds)
    return Found(
        final,
        [
            *score_known(known, final),
            *([] if dealt is None else [score_out_of_fold(known, rounds)]),
            *score_strangers(strangers, rounds, final),
        ],
        known.classes,
        told_calibration(known, final),
        compare(known, rounds, strangers, seed),
        measured,
        (
            *warnings_of(final, int(measured[0]["n"]) if measured else 0),
            *warnings_of_class(source, sought.left_out_class),
        ),
        {name: one.images.faults for name, one in strangers.items()},
        None
        if unfitted is None
        else find_places(unfitted, known, [one.roles for one in rounds], final.roles),
    )


def warnings_of_class(source: FeatureSource, left_out_class: str | None) -> list[str]:
    """What a class that is left out does not say about classes that nobody knew."""
    if left_out_class is None or source.unseen:
        return []
    return [
        f"the network was trained to tell {left_out_class!r} from the others, and its features "
        "know that class; for one that nothing knows, fit without it and name its images by "
        "--unfamiliar, or train the head alone"
    ]


def roles(
    source: FeatureSource, known: Known, dealt: Int[Tensor, " n"] | None, usable: Sequence[bool]
) -> list[Roles]:
    """Who fits, sets the threshold and is judged: one round of the parts, or one a fold.

    Raises:
        ValueError: If no image was held out.
    """
    if dealt is not None:
        return roles_of_folds(dealt, usable)
    try:
        return [roles_of_parts(known.parts, usable)]
    except ValueError as error:
        raise ValueError(f"{source.folder.root}: {error}") from error


def told_calibration(known: Known, final: Round) -> str:
    """What set the threshold, in words."""
    if len(final.roles.calibrating):
        return known.parts[int(final.roles.calibrating[0])]
    return OUT_OF_FOLD
