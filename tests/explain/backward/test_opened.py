import pytest
import torch
from torch import nn

from cellxai.explain.backward.opened import opened
from cellxai.explain.backward.rules import Rules, own_rule


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("settings", [{"bias": False}, {}])
@pytest.mark.parametrize(
    "call",
    [{"need_weights": False}, {}, {"average_attn_weights": False},
     {"need_weights": False, "attn_mask": nn.Transformer.generate_square_subsequent_mask(5)},
     {"attn_mask": torch.ones(6, 5, 5).triu(1).bool()}],
    ids=["alone", "weights", "of heads", "causal", "mask of heads"],
)  # fmt: skip
def test_multi_head_attention_in_steps_is_torchs_own(batch_first, settings, call):
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(8, 2, batch_first=batch_first, **settings).eval()
    x = torch.randn(3, 5, 8).requires_grad_()
    x_of_layer = x if batch_first else x.transpose(0, 1)
    expected = layer(x_of_layer, x_of_layer, x_of_layer, **call)
    seen: list[str] = []
    with Rules({}, lambda call: seen.append(call.name) or own_rule(call)):
        answer = layer(x_of_layer, x_of_layer, x_of_layer, **call)
    assert "linear" in seen
    assert "multi_head_attention_forward" not in seen
    torch.testing.assert_close(answer, expected)


def test_other_calls_stay_whole():
    assert opened("linear", (), {}) is None
    x = torch.randn(5, 3, 8).requires_grad_()
    layer = nn.MultiheadAttention(8, 2, add_bias_kv=True).eval()
    seen: list[str] = []
    with Rules({}, lambda call: seen.append(call.name) or own_rule(call)):
        layer(x, x, x)
    assert "multi_head_attention_forward" in seen
