"""On a network that was trained on ImageNet, and its photographs."""

import cv2
import pytest
import timm
import torch
from safetensors.torch import load_file
from torch import nn

from cellxai.explain.backward.deeplift import DeepLift
from cellxai.explain.backward.lrp import LRP
from cellxai.explain.base import context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.superpixels.methods import Grid

PHOTOGRAPHS = ["n02110185_Siberian_husky.JPEG", "n07747607_orange.JPEG"]


class Normalised(nn.Module):
    """The network on images in [0, 1]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network((images - 0.5) / 0.5)


@pytest.fixture(scope="module")
def imagenet(shared_data) -> nn.Module:
    network = timm.create_model("mobilenetv2_100", num_classes=1001, pad_type="same")
    network.load_state_dict(
        load_file(shared_data / "weights" / "mobilenetv2_100_imagenet1001.safetensors")
    )
    return Normalised(network).eval()


@pytest.fixture(scope="module")
def photographs(shared_data) -> torch.Tensor:
    read = [cv2.imread(str(shared_data / "imagenet_samples" / name)) for name in PHOTOGRAPHS]
    rgb = [cv2.cvtColor(cv2.resize(bgr, (224, 224)), cv2.COLOR_BGR2RGB) for bgr in read]
    return torch.stack([torch.from_numpy(x).permute(2, 0, 1).float() / 255 for x in rgb])


@pytest.mark.parametrize("explainer", [DeepLift(), LRP()])
def test_maps_of_a_trained_network_add_up_and_point_at_the_thing(explainer, imagenet, photographs):
    with torch.no_grad():
        targets = imagenet(photographs).argmax(1)
    context = context_of(photographs, Grid(32), BlurBaseline(12.0))
    attribution = attribute_with_cost(explainer, imagenet, photographs, targets, context)
    assert attribution.status == "ok"
    # The husky and the orange are in the middle: more than the area's share of the evidence is.
    middle = attribution.values.clamp(min=0)[:, 40:-40, 40:-40].sum((1, 2))
    assert (middle / attribution.values.clamp(min=0).sum((1, 2))).min() > (144 / 224) ** 2
