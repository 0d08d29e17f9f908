import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay, param_groups_weight_decay
from torch import nn

from cellxai.classifier.optimiser import (
    OptimiserSettings,
    build_adamw,
    layer_factors,
    parameter_groups,
)

NAMES = [
    "tf_efficientnetv2_b0", "test_efficientnet", "test_vit", "test_convnext", "mobilenetv2_100",
    "resnet18", "test_nfnet",
]  # fmt: skip


def own_network() -> nn.Sequential:
    """A network that timm knows nothing of: layers with and without parameters."""
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.Linear(4, 4))


@pytest.mark.parametrize("name", NAMES)
def test_the_factors_of_layers_are_timms_for_the_model_with_its_classifier(name):
    with torch.device("meta"):
        whole = timm.create_model(name, num_classes=7)
        backbone = timm.create_model(name, num_classes=0)
    expected = {
        id(parameter): group["lr_scale"]
        for group in param_groups_layer_decay(whole, layer_decay=0.7)
        for parameter in group["params"]
    }
    wanted = {key: expected[id(p)] for key, p in whole.named_parameters()}
    found = layer_factors(backbone, 0.7)
    assert found == {key: pytest.approx(wanted[key]) for key in found}
    assert set(wanted) - set(found) == {
        key for key in wanted if key.startswith(("classifier", "fc", "head"))
    } - set(found)
    assert min(found.values()) < 0.7**3


def test_the_children_of_another_network_are_its_layers():
    assert layer_factors(own_network(), 0.5) == {
        "0.weight": 0.125, "0.bias": 0.125, "2.weight": 0.25, "2.bias": 0.25,
        "3.weight": 0.5, "3.bias": 0.5,
    }  # fmt: skip
    assert layer_factors(nn.ReLU(), 0.5) == {}


def test_every_parameter_that_learns_is_in_one_group_with_its_own_factor():
    backbone, head = own_network(), nn.Linear(4, 2)
    backbone[0].requires_grad_(False)
    groups = parameter_groups(backbone, head, OptimiserSettings(layer_decay=0.5))
    listed = [id(parameter) for group in groups for parameter in group["params"]]
    expected = [p for part in (backbone, head) for p in part.parameters() if p.requires_grad]
    assert sorted(listed) == sorted(map(id, expected))
    assert {group["layer_factor"] for group in groups} == {0.25, 0.5, 1.0}


def test_without_layer_decay_there_is_one_group():
    assert len(parameter_groups(own_network(), nn.Linear(4, 2), OptimiserSettings())) == 1


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit"])
def test_what_does_not_decay_is_what_timm_leaves_out(name):
    backbone, head = timm.create_model(name, num_classes=0), nn.Linear(4, 2)
    settings = OptimiserSettings(weight_decay=0.3, decay_biases_and_norms=False)
    free = {
        id(parameter)
        for group in parameter_groups(backbone, head, settings)
        if group["weight_decay"] == 0
        for parameter in group["params"]
    }
    kept = backbone.no_weight_decay() if hasattr(backbone, "no_weight_decay") else ()
    timms = [
        group
        for part, names in ((backbone, kept), (head, ()))
        for group in param_groups_weight_decay(part, 0.3, no_weight_decay_list=names)
    ]
    expected = {id(p) for group in timms if group["weight_decay"] == 0 for p in group["params"]}
    assert free == expected
    assert len(free) > 4


@pytest.mark.parametrize("factor", [1.0, 0.25])
def test_a_fused_step_is_adamws(factor):
    torch.manual_seed(0)
    start, gradient = torch.randn(50), torch.randn(50)
    found = []
    for fused in (False, True):
        weight = nn.Parameter(start.clone())
        weight.grad = gradient.clone()
        group = {"params": [weight], "layer_factor": factor, "weight_decay": 0.1}
        stepped = build_adamw([group], OptimiserSettings(0.01), fused)
        stepped.step()
        found.append(weight.detach())
    torch.testing.assert_close(found[0], found[1])
    by_hand = start * (1 - 0.01 * 0.1) - 0.01 * gradient / (gradient.abs() + 1e-8)
    torch.testing.assert_close(found[0], by_hand)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layer_decay": 0.0}, r"layer_decay=0\.0: expected a share"),
        ({"layer_decay": 1.5}, r"layer_decay=1\.5: expected a share"),
        ({"warm_up_steps": -1}, "warm_up_steps=-1: expected 0 for none"),
        ({"warm_up_steps": 3, "warm_up_epochs": 0.5}, "two lengths of one warm-up; pass one"),
    ],
)
def test_settings_out_of_range_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        OptimiserSettings(**wrong)


def test_epsilon_is_that_of_adamw():
    groups = [{"params": [torch.nn.Parameter(torch.zeros(2))], "layer_factor": 1.0}]
    assert build_adamw(groups, OptimiserSettings(epsilon=1e-4), fused=False).defaults["eps"] == 1e-4
    with pytest.raises(ValueError, match=r"optimiser\.epsilon=0.0: expected more than 0"):
        OptimiserSettings(epsilon=0.0)
