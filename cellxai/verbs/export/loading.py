"""Reading an export back: images to probabilities, without the run folder and the data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from cellxai.classifier.backbone import Backbone
from cellxai.data.image_formats import read_image
from cellxai.data.pixels.transforms import Transforms, to_tensor
from cellxai.verbs.export.card import CARD, WEIGHTS, read_card
from cellxai.verbs.export.network import (
    OWN_BACKBONE,
    ScoringNetwork,
    build_allowed_backbone,
    build_network,
    build_transforms,
)

MISFIT = (SafetensorError, LookupError, TypeError, AttributeError, RuntimeError)


@dataclass(frozen=True)
class ExportedModel:
    """A classifier that was exported.

    Args:
        network: In evaluation mode.
        classes: Names in the order of the logits.
        transforms: What happens to an image before the network.
        temperature: Divides the logits before the softmax; 1 where none was fitted.
        card: The whole card.
    """

    network: ScoringNetwork
    classes: tuple[str, ...]
    transforms: Transforms
    temperature: float
    card: dict[str, Any]

    @property
    def device(self) -> torch.device:
        """Where it computes: ``network.to`` moves it."""
        return self.network.mean.device

    def prepare(self, paths: Sequence[Path]) -> Float[Tensor, "b p h w"]:
        """Image files as the network takes them.

        Raises:
            ValueError: If a file cannot be read; names it.
        """
        images = [read_image(Path(path), self.transforms.stack) for path in paths]
        prepared = [self.transforms.prepare(image) for image in images]
        return torch.stack([to_tensor(image, self.transforms.n_inputs) for image in prepared])

    def logits(self, images: Float[Tensor, "b p h w"]) -> Float[Tensor, "b k"]:
        """Logits of prepared images, on the CPU."""
        with torch.inference_mode():
            return self.network(images.to(self.device)).cpu()

    def probabilities(self, paths: Sequence[Path], batch_size: int = 32) -> Float[Tensor, "b k"]:
        """Calibrated probability of each class for each image file."""
        batches = [paths[start : start + batch_size] for start in range(0, len(paths), batch_size)]
        logits = [self.logits(self.prepare(batch)) for batch in batches]
        return (torch.cat(logits) / self.temperature).softmax(-1)


def load_exported(
    folder: Path | str, backbone: Backbone | None = None, transforms: Transforms | None = None
) -> ExportedModel:
    """Reads what ``cellxai export`` wrote; nothing in the folder is run, unpickled or imported.

    Args:
        folder: The --out of the export.
        backbone: Builds the network, where it was trained with a class of your own.
        transforms: Prepares the images, where the recorded ones name classes of your own.

    Raises:
        FileNotFoundError: If the card or a file that it names is missing.
        ValueError: If a file is damaged or altered, or needs a class that was not passed.
    """
    folder = Path(folder)
    return restore(read_card(folder), folder, backbone, transforms)


def load_exported_as_allowed(folder: Path) -> ExportedModel:
    """As :func:`load_exported`; a backbone of the user's own is imported where he allowed that.

    Raises:
        FileNotFoundError: If the card or a file that it names is missing.
        ValueError: If a file is damaged or altered, or names a class that is not allowed.
    """
    card = read_card(folder)
    recorded = card["network"]["backbone"]
    own = recorded["class_path"] != OWN_BACKBONE
    backbone = build_allowed_backbone(recorded, str(folder / CARD)) if own else None
    return restore(card, folder, backbone, None)


def restore(
    card: dict[str, Any], folder: Path, backbone: Backbone | None, transforms: Transforms | None
) -> ExportedModel:
    """The model of a card that was checked already."""
    try:
        network = build_network(card["network"], len(card["classes"]), backbone)
        network.load_state_dict(load_file(folder / WEIGHTS))
        fitted = (card["temperature"] or {}).get("value")
        return ExportedModel(
            network.eval(), tuple(card["classes"]),
            transforms or build_transforms(card["transforms"]), fitted or 1.0, card,
        )  # fmt: skip
    except ValueError as error:
        raise ValueError(f"{folder / CARD}: {error}") from error
    except MISFIT as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{folder}: weights and card do not fit each other: {reason}") from error
