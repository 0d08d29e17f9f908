"""What any layer of a classifier makes of images: named like the modules of the network."""

import difflib
from collections.abc import Sequence
from contextlib import suppress

from jaxtyping import Float
from torch import Tensor, nn

from cellxai.classifier.layer_names import PENULTIMATE
from cellxai.classifier.module import CellClassifier
from cellxai.explain.score import ModelWrapper

NOT_OF_THE_NETWORK = "accuracy"  # modules that count, and see no image


class LayerFeatures(ModelWrapper):
    """A classifier that answers with the output of one of its layers; differentiable.

    The layers after it do not run. Its own layers keep their names, so that Grad-CAM finds them.

    Args:
        model: The classifier, in evaluation mode.
        layer: ``penultimate``, or a dotted name as in ``model.named_modules()``.
        pooled: Whether to average over places, and over the tokens of a transformer. Without, a
            convolution answers with [b c h w].

    Raises:
        ValueError: If there is no such layer, or it has no places to keep; names layers near it.
    """

    model: CellClassifier

    def __init__(
        self, model: CellClassifier, layer: str = PENULTIMATE, pooled: bool = True
    ) -> None:
        super().__init__(model)
        check_layer(model, layer)
        if layer == PENULTIMATE and not pooled:
            raise ValueError(
                f"layer={layer!r} has no places; name an earlier one, such as "
                f"{spatial_example(model)}, or pass pooled=true"
            )
        self.layer = layer
        self.pooled = pooled

    def forward(self, images: Float[Tensor, "b p h w"]) -> Float[Tensor, "b ..."]:
        """Features of images in [0, 1].

        Raises:
            ValueError: If the layer does not run, or gives no tensor.
        """
        if self.layer == PENULTIMATE:
            return self.model.features(images)
        output = output_of(self.model, self.layer, images)
        return mean_over_places(output) if self.pooled else output


class _Reached(Exception):  # noqa: N818 - no error: it ends a forward pass that has done its work
    pass


def output_of(
    model: nn.Module, layer: str, images: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b ..."]:
    """The output of a layer, at which the forward pass ends.

    Raises:
        ValueError: If the layer does not run, or gives no tensor.
    """
    return outputs_of(model, [layer], images)[0]


def outputs_of(
    model: nn.Module, layers: Sequence[str], images: Float[Tensor, "b c h w"]
) -> list[Float[Tensor, "b ..."]]:
    """The outputs of several layers; the forward pass ends when it has them all.

    Raises:
        ValueError: If a layer does not run, or gives no tensor.
    """
    outputs: dict[str, Tensor] = {}

    def keep(layer: str, output: object) -> None:
        if not isinstance(output, Tensor):
            raise ValueError(
                f"layer={layer!r} gives {type(output).__name__}, expected a tensor; name another"
            )
        outputs[layer] = output
        if len(outputs) == len(layers):
            raise _Reached

    handles = [
        model.get_submodule(layer).register_forward_hook(
            lambda _, __, output, layer=layer: keep(layer, output)
        )
        for layer in layers
    ]
    with suppress(_Reached):
        try:
            model(images)
        finally:
            for handle in handles:
                handle.remove()
    for layer in layers:
        if layer not in outputs:
            raise ValueError(f"layer={layer!r} does not run in this network; name another")
    return [outputs[layer] for layer in layers]


def mean_over_places(output: Float[Tensor, "b ..."]) -> Float[Tensor, "b f"]:
    """Mean over rows and columns of [b c h w], and over the tokens of [b n c]."""
    if output.ndim == 4:
        return output.mean((2, 3))
    return output.mean(1) if output.ndim == 3 else output.flatten(1)


def layer_names(model: nn.Module) -> list[str]:
    """Names that a layer may be called by, in the order of the network."""
    inside = [name for name, _ in model.named_modules() if name]
    return [PENULTIMATE, *(n for n in inside if not n.startswith(NOT_OF_THE_NETWORK))]


def check_layer(model: nn.Module, layer: str) -> None:
    """Refuses a name that no layer has.

    Raises:
        ValueError: With the nearest names.
    """
    known = layer_names(model)
    if layer not in known:
        near = difflib.get_close_matches(layer, known, n=4, cutoff=0.0)
        raise ValueError(
            f"layer={layer!r}: the network has no such layer; near it: {', '.join(near)}"
        )


def spatial_example(model: nn.Module) -> str:
    """The name of a layer in the middle of the network that sees places."""
    convolutions = [name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)]
    return convolutions[len(convolutions) // 2] if convolutions else "a convolution"
