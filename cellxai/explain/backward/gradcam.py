"""Grad-CAM at the last layer with positions that all paths to the scores go through."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from cellxai.explain.backward.default_layer import default_layers, run_layers
from cellxai.explain.backward.gradients import with_gradient
from cellxai.explain.backward.layout import Layout, TokenLayout, find_layout
from cellxai.explain.base import Attribution, Context, Explainer, Model
from cellxai.explain.status import Doubt, doubt_of_images


class GradCam(Explainer):
    """Activations of one layer weighted by their mean gradient (arXiv:1610.02391, eq. 1–2).

    Signed: the paper's final ReLU is left out, as evidence against the target is an answer too.
    Upsampled bilinearly from the layer to the image.

    Args:
        layer: Dotted name as in ``model.named_modules()``; channels may come first or last, or
            behind tokens, of which class token and registers are left out. By default the last
            convolution to run whose output is larger than 1×1, or, where it is a branch beside
            others or a patch embedding, the last layer of its resolution that all paths to the
            scores go through.
    """

    no_planes = "weighs the channels of a layer, which are no planes of the image"

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
        coarse = self.coarse_maps(model, images, targets, context.batch_size)
        values = coarse.upsample(images, "bilinear")
        if coarse.doubt is None:
            return Attribution(values)
        return Attribution(values, status=coarse.doubt.status, reason=coarse.doubt.reason)

    def coarse_maps(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        batch_size: int,
    ) -> "CoarseMaps":
        """The map of each image in the resolution of its layer, or why it has none."""
        if not isinstance(model, nn.Module):
            return CoarseMaps(["Grad-CAM needs the layers of a torch.nn.Module"] * len(images))
        if self.layer:
            layers = [named_layer(model, self.layer)] * len(images)
        else:
            layers = default_layers(model, images)
        maps: list[Tensor | str] = [layer if isinstance(layer, str) else "" for layer in layers]
        for layer in dict.fromkeys(layer for layer in layers if isinstance(layer, nn.Module)):
            places = [place for place, other in enumerate(layers) if other is layer]
            for chosen in torch.tensor(places, device=images.device).split(batch_size):
                name = self.layer or ""
                answer = map_of_layer(model, layer, name, images[chosen], targets[chosen])
                if self.layer and isinstance(answer, str):
                    raise ValueError(answer)
                for row, place in enumerate(chosen.tolist()):
                    maps[place] = answer if isinstance(answer, str) else answer[row]
        return CoarseMaps(maps)


@dataclass(frozen=True)
class CoarseMaps:
    """Maps in the resolution of layers, which may be another for each image.

    Args:
        maps: One [rows columns] for each image, or why it has none.
    """

    maps: Sequence[Tensor | str]

    @property
    def doubt(self) -> Doubt | None:
        """That some images have no map: *unsupported* where none has one."""
        reasons = [entry if isinstance(entry, str) else "" for entry in self.maps]
        lacking = torch.tensor([bool(reason) for reason in reasons])
        return doubt_of_images(lacking, next(filter(None, reasons), ""), "unsupported")

    def upsample(self, images: Float[Tensor, "b c h w"], mode: str) -> Float[Tensor, "b h w"]:
        """The maps as large as their images; NaN where there is none."""
        shape = images.shape[-2:]
        wide = [
            torch.full_like(image[0], torch.nan)
            if isinstance(entry, str)
            else F.interpolate(entry[None, None], shape, mode=mode)[0, 0]
            for image, entry in zip(images, self.maps, strict=True)
        ]
        return torch.stack(wide)


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
) -> Float[Tensor, "b rows columns"] | str:
    """Channels of the layer's output, weighted by their mean gradient and summed.

    Or why there are none: the layer does not run, or its output has no rows and columns.
    """
    leaf = with_gradient(images)
    outputs, scores = run_with_outputs(model, layer, leaf)
    output = outputs[-1] if outputs else None
    layout = None if output is None else _layout_of(model, layer, output, leaf)
    if output is None or layout is None or layout.n_positions(output.shape) < 2:
        return _without_places(name, output)
    with torch.enable_grad():
        of_targets = scores.gather(1, targets[:, None]).sum()
    (gradient,) = torch.autograd.grad(of_targets, output)
    activations, slopes = map(layout.channels_first, (output.detach(), gradient))
    return (slopes.mean((2, 3), keepdim=True) * activations).sum(1)


def _layout_of(
    model: nn.Module, layer: nn.Module, output: Tensor, leaf: Float[Tensor, "b c h w"]
) -> Layout | TokenLayout | None:
    if output.dim() != 3:
        return find_layout(output, leaf)
    runs, *_ = run_layers(model, leaf[:1])  # tokens lie as convolutions before them have made them
    return next((run.layout for run in runs if run.layer is layer), None)


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
            f"layer='{name}' gives tokens of shape {list(output.shape)}, {need}; or tokens of a "
            "grid that a convolution has made: take integrated-gradients or occlusion there"
        )
    return (
        f"layer='{name}' gives shape {list(output.shape)}, {need}; "
        "name an earlier layer, or none for the default"
    )
