"""Explanations on CUDA are those on the CPU."""

import copy

import pytest
import torch
from torch import Tensor, nn

from cellxai.explain.base import Attribution, context_of
from cellxai.explain.baselines import BlurBaseline, ConstantBaseline
from cellxai.explain.catalogue import every_explainer
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.hiding.shapley import ShapleyValueSampling
from cellxai.explain.lime.designs import Antithetic
from cellxai.explain.lime.lime import Lime
from cellxai.explain.lime.stopping import Stop
from cellxai.explain.precision import Precision
from cellxai.explain.superpixels.methods import Grid

SIDE = 32
EXPLAINERS = {
    **every_explainer(n_samples=40),
    "shapley-sampling": ShapleyValueSampling(2),
    "lime-stopped": Lime(80, design=Antithetic(), stop=Stop()),
    "lime-bf16": Lime(40, bf16=True),
    "lime-by-plane": Lime(40, by_plane=True),
}


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    layers = (
        nn.Conv2d(3, 6, 3, padding=1, stride=2), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3),
    )  # fmt: skip
    for layer in layers:
        if isinstance(layer, nn.Conv2d):  # so that the image decides, and not the biases
            nn.init.normal_(layer.weight, std=0.5)
    return nn.Sequential(*layers).eval()


def explain(name: str, net: nn.Module, device: str, precision: Precision = "exact") -> Attribution:
    images = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)).to(device)
    context = context_of(images, Grid(16), BlurBaseline(), batch_size=16, precision=precision)
    targets = torch.tensor([0, 2], device=device)
    network = copy.deepcopy(net).to(device)
    return attribute_with_cost(EXPLAINERS[name], network, images, targets, context)


@pytest.mark.parametrize("name", EXPLAINERS)
def test_a_map_is_that_of_the_cpu(name: str, net: nn.Module) -> None:
    here, there = explain(name, net, "cpu"), explain(name, net, "cuda")
    assert (there.status, there.cost.forwards) == (here.status, here.cost.forwards)
    if here.status == "unsupported":  # such as attention in a network that has none
        assert there.reason == here.reason
        return
    assert_close(there.values, here.values, 2e-2 if name == "lime-bf16" else 1e-4)


@pytest.mark.parametrize("name", ["saliency", "integrated-gradients", "lime"])
def test_a_map_in_a_hurry_has_fewer_digits(name: str, net: nn.Module) -> None:
    exact, fast = explain(name, net, "cuda"), explain(name, net, "cuda", "fast")
    loss = (fast.values - exact.values).abs().max() / exact.values.abs().max()
    assert 1e-4 < loss.item() < 1e-1


@pytest.mark.parametrize("before", [False, True])
def test_what_others_have_switched_on_is_on_again(before: bool, net: nn.Module) -> None:
    torch.backends.cudnn.allow_tf32 = before
    torch.backends.cuda.matmul.allow_tf32 = not before
    explain("saliency", net, "cuda", "fast")
    assert torch.backends.cudnn.allow_tf32 is before
    assert torch.backends.cuda.matmul.allow_tf32 is not before
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = False


def test_a_batch_is_as_large_as_a_gpu_needs_it() -> None:
    images = torch.rand(1, 3, 224, 224)
    sizes = [context_of(x, Grid(112), ConstantBaseline(0.0), batch_size=512).batch_size
             for x in (images, images.cuda())]  # fmt: skip
    assert sizes == [32, 512]


def assert_close(there: Tensor, here: Tensor, loss: float) -> None:
    assert there.is_cuda
    torch.testing.assert_close(
        there.cpu(), here, rtol=loss, atol=loss * float(here.abs().max()), check_device=False
    )
