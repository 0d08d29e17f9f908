"""Grad-CAM at the last layer with positions that all paths to the scores go through."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from cellxai.explain.backward.default_layer import default_layer
from cellxai.explain.backward.gradients import with_gradient
from cellxai.explain.backward.layout import find_layout
from cellxai.explain.base import Attribution, Context, Explainer, Model, unsupported_attribution


class GradCam(Explainer):
    """Activations of one layer weighted by their mean gradient (arXiv:1610.02391, eq. 1–2).

    Signed: the paper's final ReLU is left out, as evidence against the target is an answer too.
    Upsampled bilinearly from the layer to the image.

    Args:
        layer: Dotted name as in ``model.named_modules()``; channels may come first or last. By
            default the last convolution to run whose output is larger than 1×1, or, where it is a
            branch beside others, the last layer of its resolution that all paths to the scores go
            through. A transformer of tokens has none, and is *unsupported*.
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
        layer = named_layer(model, self.layer) if self.layer else default_layer(model, images)
        if isinstance(layer, str):
            return layer
        batches = zip(images.split(batch_size), targets.split(batch_size), strict=True)
        maps = [map_of_layer(model, layer, self.layer or "", *batch) for batch in batches]
        return torch.cat(maps)


def named_layer(model: nn.Module, name: str) -> nn.Module:
    """The layer of that name.

    Raises:
        ValueError: If it does not exist.
    """
    layers = dict(model.named_modules())
    if name not in layers:
        raise ValueError(f"layer='{name}' is not in the model; its last is '{list(layers)[-1]}'")
    return layers[name]


def map_of_layer(
    model: nn.Module,
    layer: nn.Module,
    name: str,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
) -> Float[Tensor, "b rows columns"]:
    """Channels of the layer's output, weighted by their mean gradient and summed.

    Raises:
        ValueError: If the layer does not run, or its output has no rows and columns.
    """
    leaf = with_gradient(images)
    outputs, scores = run_with_outputs(model, layer, leaf)
    output = outputs[-1] if outputs else None
    layout = find_layout(output, leaf) if isinstance(output, Tensor) else None
    if output is None or layout is None or layout.n_positions(output.shape) < 2:
        raise ValueError(_without_places(name, output))
    with torch.enable_grad():
        of_targets = scores.gather(1, targets[:, None]).sum()
    (gradient,) = torch.autograd.grad(of_targets, output)
    activations, slopes = map(layout.channels_first, (output.detach(), gradient))
    return (slopes.mean((2, 3), keepdim=True) * activations).sum(1)


def run_with_outputs(
    model: nn.Module, layer: nn.Module, leaf: Float[Tensor, "b c h w"]
) -> tuple[list[Tensor], Float[Tensor, "b k"]]:
    """What the layer answers whenever it runs, and the scores."""
    outputs: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: object) -> object:
        if not isinstance(output, Tensor):
            return output
        outputs.append(output)
        return output.clone()  # the next layer may work in place

    handle = layer.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            return outputs, model(leaf.clone())
    finally:
        handle.remove()


def _without_places(name: str, output: Tensor | None) -> str:
    need = "Grad-CAM needs [b c h w] or [b h w c] larger than 1×1"
    if output is None:
        return f"layer='{name}' gives no tensor, {need}; name another layer"
    if output.dim() == 3:
        return (
            f"layer='{name}' gives tokens of shape {list(output.shape)}, {need}; no layer of a "
            "transformer of tokens has it: take integrated-gradients or occlusion there"
        )
    return (
        f"layer='{name}' gives shape {list(output.shape)}, {need}; "
        "name an earlier layer, or none for the default"
    )
