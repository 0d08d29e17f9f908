"""What turns images into features: any timm model by name, or a class of the user's own."""

import difflib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path

import timm
from timm.data import resolve_model_data_config  # pyright: ignore[reportPrivateImportUsage]
from torch import nn

from cellxai.classifier.weights import check_downloadable, describe_fetch, load_weights_file

N_COLOURS = 3  # what networks of timm take unless told


@dataclass(frozen=True)
class FeatureNetwork:
    """A network without a head, with what it expects of its input.

    Args:
        module: Normalised images [b p h w] to pooled features [b n_features]; p is 3 of grey and of
            RGB.
        n_features: Width of the features.
        mean: Subtracted from each plane of an image in [0, 1].
        std: Divides each plane afterwards.
    """

    module: nn.Module
    n_features: int
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)  # ImageNet's, what most networks expect
    std: tuple[float, ...] = (0.229, 0.224, 0.225)


class Backbone(ABC):
    """Builds a feature network. Subclass it in your own file and name it in ``model.backbone``."""

    @abstractmethod
    def build(self, load_weights: bool) -> FeatureNetwork:
        """A new network.

        Args:
            load_weights: Whether to start from trained weights where the settings name any. False
                when a checkpoint is read into the network next: nothing is fetched then.
        """


class SizedBackbone(Backbone):
    """A backbone that knows which images it is made for, for ``model.own_image_size``."""

    @abstractmethod
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images that it is made for."""


class PlaneBackbone(Backbone):
    """A backbone that takes any number of planes, for ``transforms.planes`` with names.

    It has the arguments ``mean`` and ``std``, a value for each plane, or ``None``.
    """

    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None

    @abstractmethod
    def for_planes(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Backbone:
        """The backbone for as many planes as there are means, in [0, 1]; its own ones stay."""


def own_image_size(backbone: Backbone) -> tuple[int, int]:
    """Height and width of the images that a backbone is made for, for ``model.own_image_size``.

    Raises:
        ValueError: If the backbone does not know.
    """
    if isinstance(backbone, SizedBackbone):
        return backbone.image_size()
    raise ValueError(
        f"model.own_image_size=true, but {type(backbone).__name__} names no size; pass false and "
        "--transforms.image_size '[224, 224]', or make it a SizedBackbone"
    )


@dataclass(frozen=True)
class TimmBackbone(SizedBackbone, PlaneBackbone):
    """Any model of timm by its name; ``cellxai models`` lists them.

    Args:
        name: Name of the model; the tag of a checkpoint may follow a dot, as in
            ``tf_efficientnetv2_s.in21k_ft_in1k``.
        pretrained: Download timm's weights; needs the network once.
        weights: A local .safetensors or weights-only .pt file instead. A prefix that its training
            put before the model's names is taken off. Its classifier is left out, since the head
            is new and has the size of your classes.
        options: More arguments of ``timm.create_model``, such as ``pad_type: same``.
        mean: Mean of the normalisation, where it differs from the model's own data config. As many
            as it has values, so many planes the network takes: `cellxai fit` puts those of the
            training images here where planes are named. Pretrained weights of the first layer,
            which are of three colours, are then brought to so many planes as timm does it.
        std: Standard deviation of the normalisation, where it differs from the model's own.
    """

    name: str = "tf_efficientnetv2_b0"
    pretrained: bool = False
    weights: Path | None = None
    options: dict[str, bool | int | float | str] = field(default_factory=dict)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def build(self, load_weights: bool) -> FeatureNetwork:
        """The model without its classifier, its weights as the settings say.

        Raises:
            ValueError: If timm has no such model or no weights for it, both sources of weights are
                named, or the file does not fit the model.
            OSError: If the weights cannot be downloaded, or the file does not exist.
        """
        if self.pretrained and self.weights is not None:
            raise ValueError(
                f"pretrained=true and weights={self.weights} exclude each other; choose one"
            )
        check_model_name(self.name)
        options = {**self.options, **self.stem_options()}
        module = create(self.name, self.pretrained and load_weights, options)
        if load_weights and self.weights is not None:
            load_weights_file(module, self.weights, self.name)
        data = resolve_model_data_config(module)
        return FeatureNetwork(
            module, feature_width(module), self.mean or data["mean"], self.std or data["std"]
        )

    def stem_options(self) -> dict[str, int]:
        """What timm has to know of the planes; nothing of three, for which its models are made.

        Raises:
            ValueError: If there are not as many standard deviations as means.
        """
        n_planes = len(self.mean or self.std or (0, 0, 0))
        if self.mean and self.std and len(self.std) != n_planes:
            raise ValueError(
                f"model.backbone has {n_planes} values of mean and {len(self.std)} of std; "
                "expected as many of both, one for each plane"
            )
        return {} if n_planes == N_COLOURS else {"in_chans": n_planes}

    def for_planes(self, mean: tuple[float, ...], std: tuple[float, ...]) -> "TimmBackbone":
        """See :meth:`PlaneBackbone.for_planes`."""
        return replace(self, mean=self.mean or mean, std=self.std or std)

    def image_size(self) -> tuple[int, int]:
        """The size timm tests the model at; EfficientNetV2 was trained at a smaller one."""
        check_model_name(self.name)
        _, tested = input_sizes(self.name)
        return tested, tested


def check_model_name(name: str) -> None:
    """Raises ``ValueError`` with the nearest names unless timm has the model and its tag."""
    model, _, tag = name.partition(".")
    if not timm.is_model(model):
        near = difflib.get_close_matches(model, timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`cellxai models '*'` lists them"
        raise ValueError(f"model.backbone.name={name!r} is not a timm model; {hint}")
    try:
        timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        tags = " or ".join(timm.list_pretrained(f"{model}.*")) or f"{model} without a tag"
        raise ValueError(
            f"model.backbone.name={name!r}: timm knows no tag {tag!r}; expected {tags}"
        ) from error


def input_sizes(name: str) -> tuple[int, int]:
    """Sides in pixels of the images that timm trains a model on, and tests it on."""
    config = timm.get_pretrained_cfg(name)
    trained = (config.input_size if config else None) or (3, 224, 224)  # timm's own default
    tested = (config.test_input_size if config else None) or trained
    return trained[-1], tested[-1]


def create(name: str, pretrained: bool, options: dict[str, bool | int | float | str]) -> nn.Module:
    """``timm.create_model`` without a classifier; a failed download becomes one clear line."""
    if pretrained:
        check_downloadable(name)
    try:
        return timm.create_model(
            name,
            pretrained=pretrained,
            num_classes=0,
            **options,  # pyright: ignore[reportArgumentType]
        )
    except TypeError as error:
        raise ValueError(f"model.backbone.options={options}: {error}") from error
    except Exception as error:
        if not pretrained:
            raise
        raise OSError(describe_fetch(name, error)) from error


def feature_width(module: nn.Module) -> int:
    """Width of the pooled features, asked of the network itself: timm's names for it differ."""
    return int(getattr(module, "head_hidden_size", None) or module.num_features)  # pyright: ignore
