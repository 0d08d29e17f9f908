"""Explainers that take little time, and what ``explain`` left of them on disk."""

import json

import torch
from safetensors.torch import load_file

from cellxai.explain.backward.gradients import Saliency
from cellxai.explain.controls import Edges, RandomAttribution
from cellxai.explain.lime.reference import LimeReference
from cellxai.explain.superpixels.methods import Grid
from cellxai.verbs.explain import Explained

EXPLAINERS = {
    "LIME": LimeReference(n_samples=20),
    "Saliency": Saliency(),
    "edges": Edges(),
    "random": RandomAttribution(),
}
REGIONS = Grid(size_px=16)


def read_maps(explained: Explained, image: str) -> dict[str, torch.Tensor]:
    """The saved maps of one image by the name of the explainer."""
    saved = load_file(explained.folder / "maps" / f"{image}.safetensors")
    return {name.removeprefix("map/"): saved[name] for name in saved if name.startswith("map/")}


def read_index(explained: Explained) -> dict:
    """What ``index.json`` says."""
    return json.loads((explained.folder / "index.json").read_text())
