import pytest
import timm
import torch
from captum import attr
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule
from torch import nn

from cellxai.explain.backward.lrp import LRP
from cellxai.explain.base import Context

COMPOSITES = ["epsilon", "epsilon-plus", "epsilon-alpha-beta"]


class WithoutBias(nn.Module):
    """A ReLU network that Captum has rules for, and biases do not matter in."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.second = nn.Conv2d(6, 8, 3, stride=2, bias=False)
        self.relu_1, self.relu_2 = nn.ReLU(), nn.ReLU()
        self.head = nn.Linear(8 * 49, 3, bias=False)

    def forward(self, images):
        return self.head(self.relu_2(self.second(self.relu_1(self.first(images)))).flatten(1))


@pytest.mark.parametrize(
    ("composite", "rule"), [("epsilon", EpsilonRule), ("epsilon-plus", Alpha1_Beta0_Rule)]
)
def test_it_equals_the_raw_captum_call_where_captum_conserves(
    composite, rule, images, targets, context
):
    model = WithoutBias().eval()
    values = LRP(composite).attribute(model, images, targets, context).values
    model.first.rule, model.second.rule, model.head.rule = rule(), rule(), EpsilonRule()
    raw = attr.LRP(model).attribute(images.clone().requires_grad_(), targets)
    torch.testing.assert_close(values, raw.sum(1).detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("composite", COMPOSITES)
def test_relevance_is_conserved_through_gates_batch_norm_and_residuals(
    composite, gated_net, images, targets, context
):
    attribution = LRP(composite).attribute(gated_net, images, targets, context)
    with torch.no_grad():
        scores = gated_net(images).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(attribution.values.sum((1, 2)), scores, rtol=0.01, atol=1e-4)
    assert attribution.status == "ok"


@pytest.mark.parametrize("composite", COMPOSITES)
def test_a_batch_equals_its_images_one_by_one(
    composite, gated_net, images, targets, context, maps_alone
):
    together = LRP(composite).attribute(gated_net, images, targets, context).values
    alone = maps_alone(LRP(composite), gated_net)
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-5)


def test_a_function_without_a_rule_is_unsupported_by_name(images, targets, context):
    attribution = LRP().attribute(lambda x: x.mean((2, 3)).softmax(1), images, targets, context)
    assert attribution.status == "unsupported"
    assert attribution.reason == "LRP has no rule for torch's softmax"
    assert attribution.values.isnan().all()


@pytest.mark.parametrize(
    "name", ["tf_efficientnetv2_b0", "resnet18", "mobilenetv2_100", "convnext_atto"]
)
def test_real_architectures_conserve_relevance(name, targets):
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=3).eval()
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)  # some start at 0: a branch that is a constant
    images = torch.rand(2, 3, 64, 64)
    context = Context(torch.zeros(2, 64, 64, dtype=torch.long), torch.zeros_like(images))
    attribution = LRP().attribute(model, images, targets[:2], context)
    with torch.no_grad():
        scores = model(images).gather(1, targets[:2, None])[:, 0]
    torch.testing.assert_close(attribution.values.sum((1, 2)), scores, rtol=0.05, atol=1e-5)
    assert attribution.status == "ok"
