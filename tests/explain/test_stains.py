"""A network trained on two stains, and LIME that says which of them it reads."""

import numpy as np
import pytest
import torch
from torch import nn

from cellxai.data.synthetic.fluorescence import StainSettings, compose_stains, render_stains
from cellxai.data.synthetic.fluorescence.render import FULL_SCALE
from cellxai.explain.base import context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.lime.designs import Antithetic
from cellxai.explain.lime.lime import Lime
from cellxai.explain.plane_evidence import evidence_by_plane
from cellxai.explain.superpixels.methods import Grid

STAINS, N_TRAIN, N_TEST = ("nucleus", "granules"), 128, 20


def train(images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    """A few convolutions, until they tell the classes apart."""
    torch.manual_seed(0)
    widths = [(2, 16, 2), (16, 32, 1), (32, 32, 2), (32, 64, 1)]
    blocks = [
        nn.Sequential(nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
        for a, b, stride in widths
    ]
    normalise = nn.BatchNorm2d(2, affine=False)
    net = nn.Sequential(normalise, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 2))
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    for _ in range(12):
        for rows in torch.randperm(len(images)).split(16):
            batch = images[rows].flip([2, 3] if torch.rand(1) < 0.5 else [3])
            loss = nn.functional.cross_entropy(net(batch), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return net.eval()


@pytest.mark.slow
def test_lime_by_plane_names_the_stain_that_makes_the_label():
    settings = StainSettings(64, 64, STAINS, "granules", 1.5)
    scenes = [compose_stains(0, index, settings) for index in range(N_TRAIN + N_TEST)]
    drawn = np.stack([render_stains(scene) for scene in scenes]).astype(np.float32) / FULL_SCALE
    images = torch.from_numpy(drawn).permute(0, 3, 1, 2).contiguous()
    labels = torch.arange(len(images)) % 2
    net = train(images[:N_TRAIN], labels[:N_TRAIN])
    judged = images[N_TRAIN:]
    with torch.no_grad():
        predicted = net(judged).argmax(1)
    assert (predicted == labels[N_TRAIN:]).float().mean() >= 0.9
    context = context_of(judged, Grid(size_px=16), BlurBaseline(6.0))
    lime = Lime(160, design=Antithetic(), by_plane=True)
    attribution = lime.attribute(net, judged, predicted, context)
    evidence = evidence_by_plane(attribution, context.superpixels)
    assert evidence is not None
    assert (evidence.shares.argmax(1) == STAINS.index("granules")).sum() >= 18
