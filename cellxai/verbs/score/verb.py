"""``score``: what a run says of new images, and which of them it should not be asked about."""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from cellxai.adapters.place_density import place_density, places_file
from cellxai.adapters.second_run import FeatureDensity
from cellxai.classifier.layer_names import PENULTIMATE
from cellxai.data.loading.prepared import prepare_all
from cellxai.data.records import Record
from cellxai.density.pipeline import PIPELINE_FILE, DensityPipeline
from cellxai.density.places import PlaceDensity
from cellxai.figures.density import ScoredImage, draw_scored_images
from cellxai.files.config import as_config
from cellxai.files.folder import read_json, write_json
from cellxai.files.identity import hash_file, hash_json, hash_tensors
from cellxai.files.lock import run_lock
from cellxai.trained.image_sets import to_picture
from cellxai.trained.image_stream import Chunk, stream_outputs
from cellxai.trained.layers import LayerFeatures
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import Device
from cellxai.verbs.score.files import key_of_file, records_named
from cellxai.verbs.score.table import ScoreRow, append, mended, read_scores

MOST_FAULTS_TOLD = 5


@dataclass(frozen=True)
class Scores:
    """What ``score`` found.

    Args:
        folder: Where ``scores.csv`` and ``sheet.png`` lie.
        n_images: Wanted images that were scored, now or before.
        n_before: Those of them, broken ones included, that an earlier call had done.
        n_unfamiliar: Those that are flagged.
        threshold_nats: Images below it are flagged, where the verdict is by density alone.
        faults: What could not be read.
        n_places_unfamiliar: Images that a density of places flags; ``None`` without one.
    """

    folder: Path
    n_images: int
    n_before: int
    n_unfamiliar: int
    threshold_nats: float
    faults: tuple[str, ...]
    n_places_unfamiliar: int | None = None

    def __str__(self) -> str:
        share = f" ({self.n_unfamiliar / self.n_images:.1%})" if self.n_images else ""
        lines = [
            f"{self.folder}: {self.n_images} images, {self.n_unfamiliar} unfamiliar{share}; "
            f"threshold {self.threshold_nats:.1f} nats"
        ]
        if self.n_places_unfamiliar is not None:
            lines += [f"least known places: {self.n_places_unfamiliar} unfamiliar"]
        lines += [f"{self.n_before} of them were scored before"] if self.n_before else []
        lines += [f"left out: {fault}" for fault in self.faults[:MOST_FAULTS_TOLD]]
        more = len(self.faults) - MOST_FAULTS_TOLD
        return "\n".join(lines + ([f"left out: {more} more, in scores.csv"] if more > 0 else []))


def score(
    run: Path,
    images: list[str] | str,
    out: Path | None = None,
    n_shown: int = 24,
    batch_size: int = 32,
    device: Device = "auto",
) -> Scores:
    """Classifies new images and says which of them the classifier does not know.

    Writes ``scores.csv``, a row per image, and ``sheet.png``, the most unfamiliar ones first. The
    images are decoded and scored chunk by chunk: memory holds one chunk of pixels, and of the rest
    their names. A call that was killed is continued by the same call; an image that has changed is
    scored again. A broken image has a row that says so, and costs no other. Where the run has a
    density of places, its verdict stands beside that of the images' features.

    Args:
        run: The run folder of `cellxai fit`, in which `cellxai density` has been called.
        images: Files, folders, patterns such as ``plates/**/*.png``, and CSV tables with a column
            ``path``; one or a list of them.
        out: Folder of the results; null for ``score`` in the run folder.
        n_shown: Images on the sheet.
        batch_size: Images per forward pass at most.
        device: Where to compute; "auto" takes a CUDA device when there is one.

    Raises:
        FileNotFoundError: If the run has no density yet.
        ValueError: If there is no image, or the folder holds scores by another network or density.
    """
    if n_shown < 1:
        raise ValueError(f"n_shown={n_shown}: expected at least 1")
    pipeline = FeatureDensity(run).pipeline
    records = records_named([images] if isinstance(images, str) else images)
    trained = load_run(run, device)
    places = place_density(trained) if places_file(trained).is_file() else None
    folder = out or trained.folder.score
    with run_lock(folder, "written", "choose another --out"):
        claim(folder, trained)
        keys = {record.id: key_of_file(record.path) for record in records}
        before = {row.key for row in mended(folder / "scores.csv", set(keys.values()))}
        missing = [record for record in records if keys[record.id] not in before]
        for chunk in stream_outputs(
            missing, trained.transforms, answers(trained, pipeline, places), trained.device,
            batch_size,
        ):  # fmt: skip
            append(folder / "scores.csv", rows_of(chunk, keys, trained, pipeline, places))
        wanted = set(keys.values())
        rows = [row for row in read_scores(folder / "scores.csv") if row.key in wanted]
        draw_sheet(folder / "sheet.png", rows, trained, n_shown)
    return told(folder, rows, len(records) - len(missing), pipeline)


def told(
    folder: Path, rows: Sequence[ScoreRow], n_before: int, pipeline: DensityPipeline
) -> Scores:
    """The result in numbers."""
    scored = [row for row in rows if not row.fault]
    by_places = [row.places_unfamiliar for row in scored if row.places_unfamiliar]
    return Scores(
        folder, len(scored), n_before, sum(row.unfamiliar == "1" for row in scored),
        pipeline.threshold.threshold_nats, tuple(row.fault for row in rows if row.fault),
        by_places.count("1") if by_places else None,
    )  # fmt: skip


def claim(folder: Path, trained: TrainedRun) -> None:
    """Marks the folder as that of this network and these densities.

    Raises:
        ValueError: If it is that of others, whose scores these must not be mixed with.
    """
    path, places = folder / "score.json", places_file(trained)
    mine = {
        "weights": hash_tensors(trained.classifier.state_dict()),
        "density": hash_file(trained.folder.density / PIPELINE_FILE),
        "density of places": hash_file(places) if places.is_file() else None,
        "transforms": hash_json(as_config(trained.transforms)),
    }
    if not path.is_file():
        if (folder / "scores.csv").exists():
            raise ValueError(f"{folder} holds scores.csv of something else; choose another --out")
        write_json(path, mine)
        return
    found = read_json(path)
    for name, value in mine.items():
        if not isinstance(found, dict) or found.get(name) != value:
            raise ValueError(
                f"{folder} holds scores by other {name}; choose another --out, or delete it"
            )


def answers(
    trained: TrainedRun, pipeline: DensityPipeline, places: PlaceDensity | None
) -> Callable[[Tensor], Tensor]:
    """Images to penultimate features; behind them those of the density's layer if that is another.

    The last column is the log density of the least known places, where there is one of places.
    """
    networks: list[Callable[[Tensor], Tensor]] = [trained.classifier.features]
    if pipeline.settings.layer != PENULTIMATE:
        networks.append(LayerFeatures(trained.classifier, pipeline.settings.layer))
    if places is not None:
        networks.append(places)
    return lambda images: torch.cat([network(images) for network in networks], 1)


def rows_of(
    chunk: Chunk,
    keys: dict[str, tuple[str, str]],
    trained: TrainedRun,
    pipeline: DensityPipeline,
    places: PlaceDensity | None,
) -> list[ScoreRow]:
    """What the table is told of a chunk of images, broken ones last."""
    broken = [ScoreRow(name, *keys[name], fault=str(one)) for name, one in chunk.broken.items()]
    if not chunk.records:
        return broken
    outputs = chunk.outputs if places is None else chunk.outputs[:, :-1]
    n_penultimate = outputs.shape[1] - pipeline.fitted_.projection.n_features
    features = outputs[:, n_penultimate:].double()
    penultimate = outputs[:, :n_penultimate] if n_penultimate else outputs
    with torch.no_grad():
        logits = trained.classifier.head[-1](penultimate.to(trained.device)).cpu()
        probabilities, predicted = logits.softmax(1).max(1)
        density = pipeline.score_samples(features)
        of_class = pipeline.class_log_density(features, predicted)
    flags = pipeline.unfamiliar(features)
    of_places = cells_of_places(chunk.outputs[:, -1], places)
    return [
        ScoreRow(
            record.id, *keys[record.id], trained.classes[int(predicted[i])],
            f"{probabilities[i]:.6f}", f"{density[i]:.6f}",
            "" if of_class is None else f"{of_class[i]:.6f}", str(int(flags[i])),
            *of_places[i],
        )
        for i, record in enumerate(chunk.records)
    ] + broken  # fmt: skip


def cells_of_places(
    nats: Float[Tensor, " n"], places: PlaceDensity | None
) -> list[tuple[str, str]]:
    """Log density of the least known places of each image, and the verdict; blank without."""
    if places is None:
        return [("", "")] * len(nats)
    flags = places.threshold.flags(nats.double().numpy())
    return [(f"{x:.6f}", str(int(flag))) for x, flag in zip(nats.tolist(), flags, strict=True)]


def draw_sheet(path: Path, rows: Sequence[ScoreRow], trained: TrainedRun, n_shown: int) -> None:
    """Draws the most unfamiliar images, read once more; none where none could be read."""
    scored = [row for row in rows if not row.fault]
    worst = heapq.nsmallest(n_shown, scored, key=unfamiliarity)
    records = [Record(str(place), Path(row.path), "") for place, row in enumerate(worst)]
    found = prepare_all(records, trained.transforms)
    tiles = [
        tile(worst[int(record.id)], to_picture(image))
        for record, image in zip(found.records, found.images, strict=True)
    ]
    if tiles:
        title = f"the {len(tiles)} least familiar of {len(scored)} images"
        draw_scored_images({"least familiar first": tiles}, path, title)


def unfamiliarity(row: ScoreRow) -> tuple[bool, float]:
    """Sorts what is most unfamiliar first; a density that is no number before all others."""
    nats = float(row.log_density)
    return not math.isnan(nats), nats


def tile(row: ScoreRow, image: UInt8[np.ndarray, "h w *c"]) -> ScoredImage:
    """An image of the sheet with its scores."""
    note = f"{row.predicted} ({float(row.probability):.2f})"
    return ScoredImage(image, row.id, "", float(row.log_density), row.unfamiliar == "1", note)
