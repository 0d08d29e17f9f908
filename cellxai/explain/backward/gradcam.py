"""Grad-CAM by Captum, at the last convolution whose output still has positions."""

from collections.abc import Mapping

import torch
from captum.attr import LayerGradCam
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from cellxai.explain.backward.gradients import summed_over_channels
from cellxai.explain.base import Attribution, Context, Explainer, Model, unsupported_attribution


class GradCam(Explainer):
    """Activations of one layer weighted by their mean gradient (arXiv:1610.02391, eq. 1–2).

    Signed: the paper's final ReLU is left out, as evidence against the target is an answer too.
    Upsampled bilinearly from the layer to the image.

    Args:
        layer: Dotted name as in ``model.named_modules()``; by default the last convolution to run
            whose output is larger than 1×1, which passes over squeeze-and-excite gates. A
            transformer has none, and is *unsupported* unless a layer is named.
    """

    def __init__(self, layer: str | None = None) -> None:
        self.layer = layer

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`.

        Raises:
            ValueError: If the named layer does not exist, does not run or is not spatial.
        """
        coarse = self.coarse_map(model, images, targets, context.batch_size)
        if isinstance(coarse, str):
            return unsupported_attribution(images, coarse)
        shape = images.shape[-2:]
        return Attribution(F.interpolate(coarse[:, None], shape, mode="bilinear")[:, 0])

    def coarse_map(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        batch_size: int,
    ) -> Float[Tensor, "b rows columns"] | str:
        """The map in the resolution of the layer, or why there is none."""
        if not isinstance(model, nn.Module):
            return "Grad-CAM needs the layers of a torch.nn.Module"
        layer = named_layer(model, self.layer, images) if self.layer else last_conv(model, images)
        if isinstance(layer, str):
            return layer
        maps = LayerGradCam(model, layer).attribute
        return summed_over_channels(maps, images, targets, batch_size)


def last_conv(model: nn.Module, images: Float[Tensor, "b c h w"]) -> nn.Module | str:
    """The last convolution to run whose output is larger than 1×1, or why there is none.

    A patch embedding does not count: most layers with positions come after it in a transformer.
    """
    layers = {name: m for name, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    shapes = output_shapes(model, layers, images)
    positional = [name for name, shape in shapes.items() if has_positions(layers[name], shape)]
    spatial = [name for name in positional if isinstance(layers[name], nn.Conv2d)]
    if not spatial:
        return "no convolution has an output larger than 1×1"
    n_later = len(positional) - 1 - positional.index(spatial[-1])
    if n_later > len(positional) / 2:
        return (
            f"the last convolution, '{spatial[-1]}', is an embedding: {n_later} of "
            f"{len(positional)} layers with positions come after it; name a layer"
        )
    return layers[spatial[-1]]


def named_layer(model: nn.Module, name: str, images: Float[Tensor, "b c h w"]) -> nn.Module:
    """The layer of that name, if its output has several positions.

    Raises:
        ValueError: If it does not exist, does not run or is not spatial.
    """
    layers = dict(model.named_modules())
    if name not in layers:
        raise ValueError(f"layer='{name}' is not in the model; its last is '{list(layers)[-1]}'")
    shape = output_shapes(model, {name: layers[name]}, images).get(name)
    if shape is None or not is_spatial(shape):
        output = "no tensor" if shape is None else f"shape {list(shape)}"
        raise ValueError(
            f"layer='{name}' gives {output}, Grad-CAM needs [b c h w] larger than 1×1; "
            "name an earlier layer, or none for the last spatial convolution"
        )
    return layers[name]


def has_positions(layer: nn.Module, shape: torch.Size) -> bool:
    """Whether a layer answers at several positions: a map, or the rows of a linear layer."""
    return is_spatial(shape) if isinstance(layer, nn.Conv2d) else shape[1:-1].numel() > 1


def is_spatial(shape: torch.Size) -> bool:
    """Whether an output of that shape is [b c h w] with several positions."""
    return len(shape) == 4 and shape[-2] * shape[-1] > 1


@torch.no_grad()
def output_shapes(
    model: nn.Module, layers: Mapping[str, nn.Module], images: Float[Tensor, "b c h w"]
) -> dict[str, torch.Size]:
    """Shapes of the layers' outputs for one image, in the order in which the layers run."""
    shapes: dict[str, torch.Size] = {}

    def remember(name: str, output: object) -> None:
        if isinstance(output, Tensor):
            shapes[name] = output.shape

    handles = [
        layer.register_forward_hook(lambda _, __, output, name=name: remember(name, output))
        for name, layer in layers.items()
    ]
    try:
        model(images[:1])
    finally:
        for handle in handles:
            handle.remove()
    return shapes
