"""Trained weights for a network: timm's own from the hub, or a file of yours."""

from contextlib import suppress
from pathlib import Path

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import adapt_input_conv  # pyright: ignore[reportPrivateImportUsage]
from torch import Tensor, nn

HUB_FILE = "model.safetensors"
SECONDS_TO_ANSWER = 5.0  # the hub's own retries take 45 s, and print a line for each
NESTS = ("state_dict", "model", "model_state_dict")  # where training scripts keep the weights


def check_downloadable(name: str) -> None:
    """Checks, before minutes of retries, that timm has weights for a model and that they are near.

    Raises:
        ValueError: If nobody has published weights for the model.
        OSError: If they are not in the cache of the hub's client, and the hub does not answer.
    """
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        raise ValueError(
            f"timm has no pretrained weights for {name!r}; pass --model.backbone.pretrained false, "
            "or another model: `cellxai models` lists the tags of those that have"
        )
    if config.hf_hub_id is None or is_cached(config.hf_hub_id):
        return
    # Imported here: half a second that only a download needs.
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=SECONDS_TO_ANSWER)
    except Exception as error:  # of whichever client the hub's library is built on
        raise OSError(describe_fetch(name, error)) from error


def is_cached(repository: str) -> bool:
    """Whether the hub's client has the weights of a repository on disk."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(repository, HUB_FILE), str)


def describe_fetch(name: str, error: Exception) -> str:
    """What to do about a download that failed, in one line: the file, and the option for it."""
    config = timm.get_pretrained_cfg(name)
    where = (config.hf_hub_id or config.url) if config else None
    file = f"{HUB_FILE} of the hub repository {where}" if where else "its weights"
    return (
        f"the pretrained weights of {name!r} could not be downloaded ({type(error).__name__}); go "
        f"online once, or fetch {file} elsewhere and pass "
        "--model.backbone.pretrained false --model.backbone.weights FILE"
    )


def load_weights_file(module: nn.Module, path: Path, name: str) -> None:
    """Loads a checkpoint into a model without classifier; the checkpoint's classifier is left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is an address, cannot be read safely, or lacks weights of the model.
    """
    wanted = module.state_dict()
    state = adapt_stem(strip_prefix(read_weights(path), list(wanted)), wanted, module)
    fitting = {
        key: state[key] for key in wanted if key in state and state[key].shape == wanted[key].shape
    }
    # Batch counters of BatchNorm are not weights, and some checkpoints leave them out.
    lacking = [
        key for key in wanted if key not in fitting and not key.endswith("num_batches_tracked")
    ]
    if lacking:
        raise ValueError(
            f"{path}: {len(lacking)} of the {len(wanted)} tensors of {name!r} are missing or of "
            f"another shape, first {lacking[0]!r}; expected a checkpoint of that model"
        )
    module.load_state_dict(fitting, strict=False)


def adapt_stem(
    state: dict[str, Tensor], wanted: dict[str, Tensor], module: nn.Module
) -> dict[str, Tensor]:
    """The tensors of a checkpoint, its first convolution brought from three colours to n planes.

    As timm does it with its own weights: repeated and scaled by 3/n, and summed for one plane.
    Stems of another kind stay as they are, and are then reported as of another shape.
    """
    stems = getattr(module, "pretrained_cfg", {}).get("first_conv") or ()
    adapted = dict(state)
    for stem in (stems,) if isinstance(stems, str) else stems:
        name = f"{stem}.weight"
        if name in state and name in wanted and state[name].shape[1:2] == (3,):
            with suppress(NotImplementedError):
                adapted[name] = adapt_input_conv(wanted[name].shape[1], state[name])
    return adapted


def strip_prefix(state: dict[str, Tensor], wanted: list[str]) -> dict[str, Tensor]:
    """The tensors of a checkpoint under the model's own names.

    Training programs put words before them: ``module.``, ``model.``, ``_orig_mod.``, a run of ours
    ``backbone.``. The rule needs no list of such words: whatever stands before the model's first
    name is a candidate, and the one under which most of the model's names are found is taken off;
    of equals the shortest.
    """
    first = wanted[0]
    prefixes = sorted(
        {key.removesuffix(first) for key in state if key == first or key.endswith("." + first)},
        key=lambda prefix: (-sum(prefix + name in state for name in wanted), len(prefix)),
    )
    prefix = prefixes[0] if prefixes else ""
    return {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a .safetensors file, or of a torch file that holds nothing but data.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is an address, or cannot be read safely.
    """
    if ":/" in str(path) and not path.exists():  # a Path has lost the second slash
        raise ValueError(
            f"model.backbone.weights={path}: an address is not loaded; download the file, look at "
            "where it is from, and pass its path"
        )
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
    return tensors_of(state, path)


def tensors_of(state: object, path: Path) -> dict[str, Tensor]:
    """The tensors of what a torch file holds, out of the mapping that a training kept them in."""
    if isinstance(state, dict):
        nested = next((state[name] for name in NESTS if isinstance(state.get(name), dict)), state)
        return {key: value for key, value in nested.items() if isinstance(value, Tensor)}
    raise ValueError(f"{path}: expected a mapping of tensors, got {type(state).__name__}")
