"""From a folder to what scores images: a run, with its density if it has one, or an export."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from cellxai.adapters.familiarity import density_file, read_density
from cellxai.density.pipeline import DensityPipeline
from cellxai.density.views.looking import layers_of, look, rows_of
from cellxai.evaluation.class_calibration import read_calibration
from cellxai.files.config import as_config
from cellxai.files.folder import RunFolder
from cellxai.files.identity import hash_file, hash_json, hash_tensors
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import Device, choose_device
from cellxai.verbs.export import load_exported_as_allowed
from cellxai.verbs.export.card import CARD
from cellxai.verbs.score.scorer import Certainty, Scorer

NO_DENSITY = "run `cellxai density --run {run}`, then this again"
NO_DENSITY_OF_EXPORT = "an export has no density; score by its run folder after `cellxai density`"
NO_SETS_OF_EXPORT = "an export is not calibrated; score by its run folder after `cellxai evaluate`"


def read_scorer(folder: Path, device: Device, error_rate: float, by_class: bool) -> Scorer:
    """What scores images, read from a run folder or an export.

    Args:
        folder: The run folder, or the export.
        device: Where to compute.
        error_rate: Largest share of images whose set of classes may lack the true one.
        by_class: Whether that is to hold within each class.

    Raises:
        FileNotFoundError: If the folder is neither.
        ValueError: If a file is damaged, or names a class that is not allowed.
    """
    if RunFolder(folder).config.is_file():
        return scorer_of_run(load_run(folder, device), error_rate, by_class)
    if (folder / CARD).is_file():
        return scorer_of_export(folder, device)
    raise FileNotFoundError(
        f"{folder} holds neither config.yaml nor {CARD}; expected the --run of `cellxai fit`, or "
        "the --out of `cellxai export`"
    )


def scorer_of_run(trained: TrainedRun, error_rate: float, by_class: bool) -> Scorer:
    """What scores images by a run, and by the density that was fitted to it."""
    weights = hash_tensors(trained.classifier.state_dict())
    certainty = read_certainty(trained, weights, error_rate, by_class)
    file = density_file(trained.folder.root)
    pipeline = read_density(trained.folder.root, trained.classifier) if file.is_file() else None
    identity = {
        "weights": weights,
        "sets of classes": identify_sets(certainty),
        "density": None if pipeline is None else hash_file(file),
        "transforms": hash_json(as_config(trained.transforms)),
    }
    return Scorer(
        trained.folder.root, network_of_run(trained, pipeline), trained.classes,
        trained.transforms, trained.device, certainty, pipeline,
        NO_DENSITY.format(run=trained.folder.root), identity, trained.settings.data,
    )  # fmt: skip


def read_certainty(
    trained: TrainedRun, weights: str, error_rate: float, by_class: bool
) -> Certainty:
    """What the validation images of a run say of its probabilities."""
    calibration, problem = read_calibration(trained.folder.evaluation, weights, trained.classes)
    if calibration is None:
        return Certainty(None, None, problem)
    conformal = calibration.conformal(error_rate, by_class)
    return Certainty(calibration, conformal, conformal.unresolved(trained.classes) or "")


def identify_sets(certainty: Certainty) -> str | None:
    """What tells these sets of classes, and the temperature, from others."""
    if certainty.calibration is None or certainty.conformal is None:
        return None
    asked = {"error_rate": certainty.conformal.error_rate, "by_class": certainty.conformal.by_class}
    return hash_json(asdict(certainty.calibration) | asked)


def network_of_run(
    trained: TrainedRun, pipeline: DensityPipeline | None
) -> Callable[[Tensor], Tensor]:
    """Images to logits, then to the surprise of every view; in one pass through the network."""
    classifier = trained.classifier
    if pipeline is None:
        return classifier
    layers = layers_of(pipeline.views.values())

    def network(images: Tensor) -> Tensor:
        seen = look(classifier, layers, images)
        assert seen.logits is not None
        surprises = pipeline.surprises(rows_of(pipeline.views, seen))
        return torch.cat([seen.logits.double().cpu(), surprises.cpu()], 1)

    return network


def scorer_of_export(folder: Path, device: Device) -> Scorer:
    """What scores images by an export; as in a run, no temperature divides the logits."""
    model, chosen = load_exported_as_allowed(folder), choose_device(device)
    identity = {
        "weights": hash_tensors(model.network.state_dict()),
        "sets of classes": None,
        "density": None,
        "transforms": hash_json(as_config(model.transforms)),
    }
    return Scorer(
        folder, model.network.to(chosen), model.classes, model.transforms, chosen,
        Certainty(None, None, NO_SETS_OF_EXPORT), None, NO_DENSITY_OF_EXPORT, identity,
    )  # fmt: skip
