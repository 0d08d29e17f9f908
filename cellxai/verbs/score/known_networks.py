"""From a folder to what scores images: a run, with its densities if it has any, or an export."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from cellxai.adapters.feature_density import FeatureDensity
from cellxai.adapters.place_density import places_file, read_place_density
from cellxai.density.pipeline import PIPELINE_FILE
from cellxai.files.config import as_config
from cellxai.files.folder import RunFolder
from cellxai.files.identity import hash_file, hash_json, hash_tensors
from cellxai.trained.layers import PENULTIMATE, LayerFeatures
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import Device, choose_device
from cellxai.verbs.export import load_exported_as_allowed
from cellxai.verbs.export.card import CARD
from cellxai.verbs.score.scorer import Densities, Scorer

NO_DENSITY = "run `cellxai density --run {run}`, then this again"
NO_DENSITY_OF_EXPORT = "an export has no density; score by its run folder after `cellxai density`"


def read_scorer(folder: Path, device: Device) -> Scorer:
    """What scores images, read from a run folder or an export.

    Raises:
        FileNotFoundError: If the folder is neither.
        ValueError: If a file is damaged, or names a class that is not allowed.
    """
    if RunFolder(folder).config.is_file():
        return scorer_of_run(load_run(folder, device))
    if (folder / CARD).is_file():
        return scorer_of_export(folder, device)
    raise FileNotFoundError(
        f"{folder} holds neither config.yaml nor {CARD}; expected the --run of `cellxai fit`, or "
        "the --out of `cellxai export`"
    )


def scorer_of_run(trained: TrainedRun) -> Scorer:
    """What scores images by a run, and by the densities that were fitted to it."""
    densities = read_densities(trained)
    pipeline, places = trained.folder.density / PIPELINE_FILE, places_file(trained)
    known = densities is not None
    identity = {
        "weights": hash_tensors(trained.classifier.state_dict()),
        "density": hash_file(pipeline) if known else None,
        "density of places": hash_file(places) if known and places.is_file() else None,
        "transforms": hash_json(as_config(trained.transforms)),
    }
    return Scorer(
        trained.folder.root, network_of_run(trained, densities), trained.classes,
        trained.transforms, trained.device, densities,
        NO_DENSITY.format(run=trained.folder.root), identity,
    )  # fmt: skip


def read_densities(trained: TrainedRun) -> Densities | None:
    """The densities of a run; ``None`` where none was fitted."""
    if not (trained.folder.density / PIPELINE_FILE).is_file():
        return None
    places = read_place_density(trained) if places_file(trained).is_file() else None
    return Densities(FeatureDensity(trained.folder.root).pipeline, places)


def network_of_run(trained: TrainedRun, densities: Densities | None) -> Callable[[Tensor], Tensor]:
    """Images to logits, then to what the densities need; features are computed once."""
    classifier = trained.classifier
    if densities is None:
        return classifier
    layer, places = densities.pipeline.settings.layer, densities.places
    of_layer = None if layer == PENULTIMATE else LayerFeatures(classifier, layer)

    def network(images: Tensor) -> Tensor:
        features = classifier.features(images)
        rows = [classifier.head[-1](features)]
        rows.append(features if of_layer is None else of_layer(images))
        return torch.cat(rows if places is None else [*rows, places(images)], 1)

    return network


def scorer_of_export(folder: Path, device: Device) -> Scorer:
    """What scores images by an export; as in a run, no temperature divides the logits."""
    model, chosen = load_exported_as_allowed(folder), choose_device(device)
    identity = {
        "weights": hash_tensors(model.network.state_dict()),
        "density": None,
        "density of places": None,
        "transforms": hash_json(as_config(model.transforms)),
    }
    return Scorer(
        folder, model.network.to(chosen), model.classes, model.transforms, chosen, None,
        NO_DENSITY_OF_EXPORT, identity,
    )  # fmt: skip
