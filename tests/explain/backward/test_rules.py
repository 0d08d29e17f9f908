import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cellxai.explain.backward.rules import NoRuleError, Rules, own_rule, refusing_rule, run_under


def doubled(call):
    return call.run_with_backward(lambda gradient, inputs, output: [2 * gradient])


@pytest.mark.parametrize(
    "call",
    [
        lambda x: F.relu(x),
        lambda x: x.relu(),
        lambda x: torch.relu_(x * 1),
        lambda x: F.relu(x * 1, inplace=True),
        nn.ReLU(inplace=True),
        lambda x: F.threshold(x, -5.0, 0.0, inplace=True).relu(),
    ],
)
def test_a_function_gets_its_rule_however_it_is_called(call):
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    y = run_under(Rules({"relu": doubled}, otherwise=own_rule), call, x)
    assert y.tolist() == [0.0, 2.0]
    assert x.tolist() == [-1.0, 2.0]
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_outside_it_and_on_constants_everything_is_torchs_own():
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    with Rules({"relu": refusing_rule}, otherwise=refusing_rule):
        assert torch.relu(torch.ones(2)).tolist() == [1.0, 1.0]
        assert (x.shape, len(x), x.device.type) == ((2,), 2, "cpu")
    torch.relu(x).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0]


def test_weights_and_what_is_made_of_them_are_no_inputs():
    layer = nn.Linear(2, 2)  # not frozen
    x = torch.ones(1, 2, requires_grad=True)
    seen = []

    def rule(call):
        seen.append(list(call.active))
        return call.run()

    with Rules({"linear": rule, "mul": rule}, otherwise=own_rule):
        layer(x) * layer.bias.reshape(1, 2)
    assert seen == [[0], [0]]


def test_a_function_without_a_rule_is_named():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(NoRuleError, match="no rule for torch's softmax"), Rules({}, refusing_rule):
        x.softmax(0)
