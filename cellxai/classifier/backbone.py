"""What turns images into features: any timm model by name, or a class of the user's own."""

import difflib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.data import resolve_model_data_config  # pyright: ignore[reportPrivateImportUsage]
from torch import Tensor, nn


@dataclass(frozen=True)
class FeatureNetwork:
    """A network without a head, with what it expects of its input.

    Args:
        module: Normalised images [b 3 h w] to pooled features [b n_features].
        n_features: Width of the features.
        mean: Subtracted from each channel of an image in [0, 1].
        std: Divides each channel afterwards.
    """

    module: nn.Module
    n_features: int
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)  # ImageNet's, what most networks expect
    std: tuple[float, ...] = (0.229, 0.224, 0.225)


class Backbone(ABC):
    """Builds a feature network. Subclass it in your own file, name it in ``model.backbone``."""

    @abstractmethod
    def build(self, load_weights: bool) -> FeatureNetwork:
        """A new network.

        Args:
            load_weights: Whether to start from trained weights where the settings name any. False
                when a checkpoint is read into the network next: nothing is fetched then.
        """


@dataclass(frozen=True)
class TimmBackbone(Backbone):
    """Any model of timm by its name.

    Args:
        name: Name of the model; a checkpoint tag may follow a dot.
        pretrained: Download timm's weights; needs the network once.
        weights: A local .safetensors or weights-only .pt file instead; its classifier is left out.
        options: More arguments of ``timm.create_model``, such as ``pad_type: same``.
        mean: Normalisation where it differs from the model's own data config.
        std: Likewise.
    """

    name: str = "tf_efficientnetv2_b0"
    pretrained: bool = False
    weights: Path | None = None
    options: dict[str, bool | int | float | str] = field(default_factory=dict)
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None

    def build(self, load_weights: bool) -> FeatureNetwork:
        """The model without its classifier, its weights as the settings say.

        Raises:
            ValueError: If timm has no such model, both sources of weights are named, or the file
                does not fit the model.
            OSError: If the weights cannot be downloaded, or the file does not exist.
        """
        if self.pretrained and self.weights is not None:
            raise ValueError(
                f"pretrained=true and weights={self.weights} exclude each other; choose one"
            )
        check_model_name(self.name)
        module = create(self.name, self.pretrained and load_weights, self.options)
        if load_weights and self.weights is not None:
            load_backbone_weights(module, self.weights, self.name)
        data = resolve_model_data_config(module)
        return FeatureNetwork(
            module, feature_width(module), self.mean or data["mean"], self.std or data["std"]
        )


def check_model_name(name: str) -> None:
    """Raises ``ValueError`` with the nearest names unless timm has the model."""
    if not timm.is_model(name):
        near = difflib.get_close_matches(name.partition(".")[0], timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "timm.list_models() lists them"
        raise ValueError(f"model.backbone.name={name!r} is no timm model; {hint}")


def create(name: str, pretrained: bool, options: dict[str, bool | int | float | str]) -> nn.Module:
    """``timm.create_model`` without a classifier; a failed download becomes one clear line."""
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
        cause = type(error).__name__
        raise OSError(
            f"the pretrained weights of {name!r} could not be downloaded ({cause}); go online "
            f"once, or fetch {weights_address(name)} elsewhere and pass "
            "--model.backbone.pretrained false --model.backbone.weights FILE"
        ) from error


def weights_address(name: str) -> str:
    """Where timm keeps the weights of a model: hub repository and file."""
    config = timm.get_pretrained_cfg(name)
    where = config.hf_hub_id or config.url if config else None
    return f"model.safetensors of the hub repository {where}" if where else "its weights"


def load_backbone_weights(module: nn.Module, path: Path, name: str) -> None:
    """Loads a checkpoint into a model without classifier.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read safely, or lacks weights of the model.
    """
    state = read_weights(path)
    wanted = module.state_dict()
    fitting = {
        key: state[key] for key in wanted if key in state and state[key].shape == wanted[key].shape
    }
    # Batch counters of BatchNorm are no weights, and some checkpoints leave them out.
    lacking = [
        key for key in wanted if key not in fitting and not key.endswith("num_batches_tracked")
    ]
    if lacking:
        raise ValueError(
            f"{path}: {len(lacking)} of the {len(wanted)} tensors of {name!r} are missing or of "
            f"another shape, first {lacking[0]!r}; expected a checkpoint of that model"
        )
    module.load_state_dict(fitting, strict=False)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a .safetensors file, or of a torch file that holds nothing but weights."""
    if not path.is_file():
        raise FileNotFoundError(f"model.backbone.weights={path}: no such file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise ValueError(f"{path}: cannot be read as weights: {error}") from error
    except Exception as error:  # pickle's own errors: the file holds more than weights
        raise ValueError(
            f"{path}: holds more than weights and is not loaded, since that could run its code; "
            "save the state_dict alone, best as .safetensors"
        ) from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict):
        raise ValueError(f"{path}: expected a mapping of tensors, got {type(state).__name__}")
    return state


def feature_width(module: nn.Module) -> int:
    """Width of the pooled features, asked of the network itself: timm's names for it differ."""
    return int(getattr(module, "head_hidden_size", None) or module.num_features)  # pyright: ignore
