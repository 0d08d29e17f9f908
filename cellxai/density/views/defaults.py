"""The views of any network, from the pixels to the logits: nothing to configure."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cellxai.classifier.module import BACKBONE, CellClassifier
from cellxai.density.densities import NearestClass, ShrunkGaussian
from cellxai.density.views.base import View
from cellxai.density.views.looking import as_grid
from cellxai.density.views.places import Places
from cellxai.density.views.vectors import Logits, Penultimate, Pixels, PooledLayer, Tones

MOST_STAGES = 6  # of a transformer of twelve blocks every second one
N_PLACE_STAGES = 2  # the earliest, in which a small object is not yet mixed with what is near it
EARLY, MIDDLE = "texture and focus: early layers", "shapes: layers in the middle"
LATE = "whole objects: late layers"


def pixel_views(planes: int) -> dict[str, View]:
    """The views that need no network.

    Args:
        planes: Planes of a prepared image: 1 where it is grey, 3 of RGB, else one per name.
    """
    return {"tones": Tones(planes), "pixels": Pixels(planes=planes)}


def default_views(
    classifier: CellClassifier, image_size: tuple[int, int], planes: int, n_inputs: int = 3
) -> dict[str, View]:
    """Pixels, places of early stages, every stage as a whole, and the last layers.

    From the second third of the stages on each class has its mean: there classes part, and what
    lies between them is strange.

    Args:
        classifier: In evaluation mode.
        image_size: Height and width of the images, in pixels.
        planes: Planes of a prepared image: 1 where it is grey, 3 of RGB, else one per name.
        n_inputs: Planes that the network takes.
    """
    stages = find_stages(classifier, image_size, n_inputs)
    views = pixel_views(planes)
    for layer in stages[:N_PLACE_STAGES]:
        views[f"places of {short_name(layer)}"] = Places(layer)
    for number, layer in enumerate(stages):
        meaning = (EARLY, MIDDLE, LATE)[3 * number // len(stages)]
        density = ShrunkGaussian() if meaning is EARLY else NearestClass()
        views[short_name(layer)] = PooledLayer(layer, meaning, density)
    return views | {"penultimate": Penultimate(NearestClass()), "logits": Logits()}


def short_name(layer: str) -> str:
    """What a layer of the backbone is called in tables."""
    return layer.removeprefix(BACKBONE)


def find_stages(
    classifier: CellClassifier, image_size: tuple[int, int], n_inputs: int = 3
) -> list[str]:
    """The stages of a backbone, at most ``MOST_STAGES`` of them, then its last output with places.

    timm says which layers end a stage (``feature_info``). Of other networks they are the children,
    and those of a child that is a sequence.
    """
    grids = grid_layers(classifier, image_size, n_inputs)
    stages = [name for name in stage_names(classifier.backbone) if name in grids]
    chosen = spread(stages, MOST_STAGES)
    last = next(reversed(grids), None)
    # The last stage is often the last output, under its own name or that of a sequence around it.
    if last is not None and not any(grids[last] is grids[name] for name in chosen):
        chosen.append(last)
    return chosen


def stage_names(backbone: nn.Module) -> list[str]:
    """Dotted names in the classifier of the layers that end a stage of the backbone."""
    described = getattr(backbone, "feature_info", None)
    if isinstance(described, list):
        modules = [str(info["module"]) for info in described if "module" in info]
    else:
        modules = [name for child in backbone.named_children() for name in steps_of(*child)]
    return [f"{BACKBONE}{name}" for name in modules]


def steps_of(name: str, child: nn.Module) -> list[str]:
    """The names of the parts of a sequence, or that of another child."""
    if isinstance(child, (nn.Sequential, nn.ModuleList)):
        return [f"{name}.{number}" for number in range(len(child))]
    return [name]


@torch.no_grad()
def grid_layers(
    classifier: CellClassifier, image_size: tuple[int, int], n_inputs: int
) -> dict[str, Tensor]:
    """The output of each layer of the backbone that has places, of a black image, as they run."""
    backbone, outputs = classifier.backbone, {}

    def keep(name: str, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim in (3, 4):
            grid = as_grid(output, backbone)
            if grid.shape[2] * grid.shape[3] > 1:
                outputs.pop(name, None)
                outputs[name] = output

    handles = [
        module.register_forward_hook(
            lambda _, __, output, name=name: keep(f"{BACKBONE}{name}", output)
        )
        for name, module in backbone.named_modules()
        if name
    ]
    try:
        classifier.features(torch.zeros(1, n_inputs, *image_size, device=classifier.device))
    finally:
        for handle in handles:
            handle.remove()
    return outputs


def spread(names: Sequence[str], most: int) -> list[str]:
    """At most so many of the names, evenly spread, with the first and the last."""
    if len(names) <= most:
        return list(names)
    return [names[round(i * (len(names) - 1) / (most - 1))] for i in range(most)]
