"""The network that is exported: images in [0, 1] to logits, and nothing of Lightning."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jsonargparse
from jaxtyping import Float
from torch import Tensor, nn

from cellxai.classifier.backbone import Backbone, TimmBackbone
from cellxai.classifier.module import CellClassifier, HeadSettings
from cellxai.data.pixels.transforms import Transforms
from gmm.commandline.trust import only_trusted_imports

OWN_BACKBONE = f"{TimmBackbone.__module__}.{TimmBackbone.__qualname__}"


class ScoringNetwork(nn.Module):
    """Normalisation, backbone and head of a classifier.

    Args:
        backbone: Normalised images to features.
        head: Features to logits.
        mean: Subtracted from each channel.
        std: Divides each channel afterwards.
    """

    mean: Float[Tensor, "c 1 1"]
    std: Float[Tensor, "c 1 1"]

    def __init__(
        self,
        backbone: nn.Module,
        head: nn.Module,
        mean: Float[Tensor, "c 1 1"],
        std: Float[Tensor, "c 1 1"],
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Logits of images in [0, 1]."""
        return self.head(self.backbone((images - self.mean) / self.std))


def network_of(classifier: CellClassifier) -> ScoringNetwork:
    """The parts of a classifier that turn images into logits, shared with it."""
    return ScoringNetwork(
        classifier.backbone, classifier.head, classifier.mean, classifier.std
    ).eval()


def make_portable(model: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a network without the source of its first weights, which are inside now."""
    backbone = dict(model["backbone"])
    if backbone["class_path"] == OWN_BACKBONE:
        backbone["init_args"] = {**backbone["init_args"], "pretrained": False, "weights": None}
    return {"backbone": backbone, "head": model["head"]}


def build_network(
    settings: Mapping[str, Any], n_classes: int, backbone: Backbone | None
) -> ScoringNetwork:
    """A network of the recorded shape; its weights are still to be loaded.

    Args:
        settings: As :func:`make_portable` made them.
        n_classes: Number of logits.
        backbone: The object to build with, where the record names a class of the user's own.

    Raises:
        ValueError: If the record names such a class and none is passed: code that a file names is
            never imported.
    """
    built = (backbone or build_own_backbone(settings["backbone"])).build(load_weights=False)
    head = build_plain_settings(HeadSettings, settings["head"])
    return network_of(CellClassifier(built, head, n_classes))


def build_own_backbone(recorded: Mapping[str, Any]) -> TimmBackbone:
    """The recorded backbone where it is ours.

    Raises:
        ValueError: If it is a class of the user's own.
    """
    class_path = recorded["class_path"]
    if class_path != OWN_BACKBONE:
        raise ValueError(
            f"its backbone is a class of your own, {class_path}, and no code that a file names is "
            f"imported; pass load_exported(..., backbone={class_path.rpartition('.')[2]}(...)) "
            f"with {recorded.get('init_args') or 'its arguments'}"
        )
    return build_plain_settings(TimmBackbone, recorded["init_args"])


def build_allowed_backbone(recorded: Mapping[str, Any], where: str) -> Backbone:
    """The recorded backbone, also of a user's own class if that is allowed.

    Args:
        recorded: Class and arguments.
        where: The file that they are from.

    Raises:
        ValueError: If the class is not among those that a file may name, or the arguments are not
            what it takes.
    """
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Backbone, "backbone")
    with only_trusted_imports(recorded, where):
        try:
            return parser.instantiate(parser.parse_object({"backbone": dict(recorded)})).backbone
        except (jsonargparse.ArgumentError, TypeError) as error:
            raise ValueError(f"{where}: {' '.join(str(error).split())}") from error


def build_plain_settings(kind: type, arguments: Mapping[str, Any]) -> Any:
    """A settings object of ours from plain values, checked; values that name a class are refused.

    Raises:
        ValueError: If a value is not what the class takes, or names code.
    """
    for name in list_classes(arguments):
        raise ValueError(f"{kind.__name__}: names the class {name}, and no code is imported")
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, "settings")
    with only_trusted_imports(arguments, kind.__name__):
        try:
            return parser.instantiate(parser.parse_object({"settings": dict(arguments)})).settings
        except (jsonargparse.ArgumentError, TypeError) as error:
            raise ValueError(f"{kind.__name__}: {' '.join(str(error).split())}") from error


def list_classes(value: Any) -> list[str]:
    """Every class that plain values name, at any depth."""
    if isinstance(value, Mapping):
        own = [str(value["class_path"])] if "class_path" in value else []
        return own + [name for item in value.values() for name in list_classes(item)]
    items = value if isinstance(value, list | tuple) else ()
    return [name for item in items for name in list_classes(item)]


def keep_preparation(transforms: Transforms) -> Transforms:
    """The settings of what every image goes through; what only training does is off."""
    return replace(
        transforms, crop=None, horizontal_flip=0.0, vertical_flip=0.0, brightness=0.0,
        augmentations=[],
    )  # fmt: skip


def build_transforms(settings: Mapping[str, Any]) -> Transforms:
    """The preparation of images from its recorded settings."""
    return build_plain_settings(Transforms, settings)
