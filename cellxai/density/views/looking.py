"""What all views see of images, from one forward pass of the network."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cellxai.classifier.module import CellClassifier
from cellxai.density.views.base import Seen, View
from cellxai.trained.layers import check_layer

STORED = torch.float32


def look(classifier: CellClassifier, layers: Sequence[str], images: Tensor) -> Seen:
    """What a network makes of images, in one forward pass; differentiable.

    Args:
        classifier: In evaluation mode.
        layers: Names of the layers whose outputs are wanted.
        images: In [0, 1].

    Raises:
        ValueError: If a layer does not exist, does not run, or gives no tensor.
    """
    outputs: dict[str, Tensor] = {}

    def keep(layer: str, output: object) -> None:
        if not isinstance(output, Tensor):
            raise ValueError(
                f"layer={layer!r} gives {type(output).__name__}, expected a tensor; name another"
            )
        outputs[layer] = output

    with ExitStack() as hooks:
        for layer in layers:
            check_layer(classifier, layer)
            handle = classifier.get_submodule(layer).register_forward_hook(
                lambda _, __, output, layer=layer: keep(layer, output)
            )
            hooks.callback(handle.remove)
        features = classifier.features(images)
    for layer in layers:
        if layer not in outputs:
            raise ValueError(f"layer={layer!r} does not run in this network; name another")
    maps = {name: as_grid(output, classifier.backbone) for name, output in outputs.items()}
    return Seen(images, maps, features, classifier.head[-1](features))


def as_grid(output: Float[Tensor, "b ..."], backbone: nn.Module) -> Float[Tensor, "b ..."]:
    """An output with places as [b c h w]: channels may be last, and places the tokens [b n c].

    Tokens that stand for no place, such as that of the class, are left out. As many as fill a
    square are laid out as one, for timm's transformers take square images.
    """
    if output.ndim == 4 and getattr(backbone, "output_fmt", "NCHW") == "NHWC":
        return output.permute(0, 3, 1, 2)
    if output.ndim != 3:
        return output
    tokens = output[:, int(getattr(backbone, "num_prefix_tokens", 0)) :].transpose(1, 2)
    side = round(tokens.shape[2] ** 0.5)
    columns = side if side * side == tokens.shape[2] else tokens.shape[2]
    return tokens.unflatten(2, (-1, columns))


def layers_of(views: Iterable[View]) -> list[str]:
    """The layers that any of the views looks at, each once."""
    return list(dict.fromkeys(layer for view in views for layer in view.layers))


def rows_of(views: Mapping[str, View], seen: Seen) -> dict[str, Float[Tensor, "b ..."]]:
    """The rows of every view, as they are stored: on the CPU in float32."""
    return {name: view.rows(seen).to("cpu", STORED) for name, view in views.items()}
