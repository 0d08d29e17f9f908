"""Features of a network that somebody else trained, to ask what images give away."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.classifier.backbone import Backbone
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Record
from cellxai.trained.image_stream import stream_outputs
from cellxai.training.settings import choose_device


def probe_features(
    records: Sequence[Record], transforms: Transforms, backbone: Backbone
) -> tuple[list[Record], Float[np.ndarray, "n d"]]:
    """The features of each image that can be read, prepared as for a training, and its record.

    Raises:
        OSError: If the network's weights are not at hand.
    """
    built, device = backbone.build(load_weights=True), choose_device("auto")
    module = built.module.eval().to(device)
    mean, std = (
        torch.tensor(numbers, device=device)[:, None, None] for numbers in (built.mean, built.std)
    )

    def network(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        return module((images - mean) / std)

    known: list[Record] = []
    rows: list[np.ndarray] = []
    for chunk in stream_outputs(records, transforms, network, device):
        known += chunk.records
        rows.append(chunk.outputs.double().numpy())
    return known, np.concatenate([row for row in rows if len(row)])


def probe_name(backbone: Backbone) -> str:
    """What the network is called."""
    return str(getattr(backbone, "name", type(backbone).__name__))
