"""Features of a network that somebody else trained, to ask what images give away."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.classifier.backbone import Backbone, PlaneBackbone
from cellxai.data.loading.measuring import SMALLEST_SD
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Record
from cellxai.trained.image_stream import stream_outputs
from cellxai.training.settings import choose_device


def probe_features(
    records: Sequence[Record], transforms: Transforms, backbone: Backbone
) -> tuple[list[Record], Float[np.ndarray, "n d"]]:
    """The features of each image that can be read, prepared as for a training, and its record.

    Named planes are normalised by their mean and standard deviation in these images.

    Raises:
        ValueError: If planes are named and the backbone takes three alone.
        OSError: If the network's weights are not at hand.
    """
    if transforms.plane_names:
        backbone = for_named_planes(backbone, records, transforms)
    built, device = backbone.build(load_weights=True), choose_device("auto")
    module = built.module.eval().to(device)
    mean, std = (
        torch.tensor(numbers, device=device)[:, None, None] for numbers in (built.mean, built.std)
    )

    def network(images: Float[Tensor, "b p h w"]) -> Float[Tensor, "b d"]:
        return module((images - mean) / std)

    known: list[Record] = []
    rows: list[np.ndarray] = []
    for chunk in stream_outputs(records, transforms, network, device):
        known += chunk.records
        rows.append(chunk.outputs.double().numpy())
    return known, np.concatenate([row for row in rows if len(row)])


def for_named_planes(
    backbone: Backbone, records: Sequence[Record], transforms: Transforms
) -> Backbone:
    """The backbone for the named planes, if it takes any number of them."""
    if not isinstance(backbone, PlaneBackbone):
        raise ValueError(
            f"probe: {type(backbone).__name__} takes three planes and transforms.planes names "
            f"{len(transforms.plane_names)}; make it a PlaneBackbone, or leave --probe out"
        )
    if backbone.mean and backbone.std:
        return backbone
    cpu = torch.device("cpu")
    levels = torch.cat(
        [chunk.outputs for chunk in stream_outputs(records, transforms, plane_powers, cpu)]
    ).mean(0, dtype=torch.float64)
    mean, of_squares = levels.unflatten(0, (2, -1))
    sd = (of_squares - mean.square()).clamp(min=SMALLEST_SD**2).sqrt()
    return backbone.for_planes(tuple(mean.tolist()), tuple(sd.tolist()))


def plane_powers(images: Float[Tensor, "b p h w"]) -> Float[Tensor, "b powers"]:
    """Mean of each plane, then those of their squares."""
    return torch.cat([images.mean((2, 3)), images.square().mean((2, 3))], 1)


def probe_name(backbone: Backbone) -> str:
    """What the network is called."""
    return str(getattr(backbone, "name", type(backbone).__name__))
