"""Rules of LRP for attention, norms and other functions without weights: AttnLRP.

Achtibat et al. (2024), arXiv:2402.05602. All are one idea: a function is linear in its inputs with
some numbers taken as constants, and an input's relevance is its part of that linear function,
input × gradient × relevance / output. What constants add up to is theirs.

- softmax by its Taylor expansion (proposition 3.1): Rᵢ = xᵢ (Rᵢ − sᵢ ΣR);
- a product of two answers of the network is split half and half (proposition 3.3), so that of
  attention the values get a half, queries and keys a quarter each, however it is computed;
- norms are linear, with their standard deviation as a constant (proposition 3.4).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from cellxai.explain.backward.lrp_spreads import LEAST_STABILISER, STABILISER, stabilise
from cellxai.explain.backward.rules import Call

ATTENTION_ARGUMENTS = ("query", "key", "value", "attn_mask")


def share_in_proportion(
    call: Call,
    relevance: Tensor,
    inputs: Sequence[Tensor],
    output: Tensor,
    shares: Sequence[float] | None = None,
    stabiliser: float = STABILISER,
) -> list[Tensor]:
    """Relevance in proportion to each input's part of a linear function without constants.

    Args:
        call: The function.
        relevance: Of its output.
        inputs: The active arguments of the call.
        output: Its answer; constants in it keep what is theirs.
        shares: By how much each input's part counts; None for 1.
        stabiliser: By how much outputs are moved away from 0.
    """
    leaves = [x.detach().requires_grad_() for x in inputs]
    with torch.enable_grad():
        answer = call.run_on(*leaves)
    # Of some arguments, such as that of view_as, only the shape is used.
    parts = torch.autograd.grad(
        answer, leaves, relevance / stabilise(output, stabiliser), materialize_grads=True
    )
    weights = [1.0] * len(inputs) if shares is None else shares
    return [
        x * part if weight == 1 else x * part * weight
        for x, part, weight in zip(inputs, parts, weights, strict=True)
    ]


def softmax_shares(
    call: Call, relevance: Tensor, inputs: Sequence[Tensor], output: Tensor
) -> list[Tensor]:
    """Rᵢ = xᵢ (Rᵢ − sᵢ ΣR); where the softmax is 0, as at a mask of −∞, nothing."""
    (x,) = inputs
    axis = call.args[1] if len(call.args) > 1 else call.kwargs["dim"]
    rest = relevance - output * relevance.sum(axis, keepdim=True)
    return [torch.where(output > 0, x, 0.0) * rest]


def attention_shares(call: Call) -> list[float]:
    """What each active argument of ``scaled_dot_product_attention`` counts.

    Values and softmax get a half each, and of the softmax's half queries and keys get a half each;
    where one of two factors is a constant, the other gets all.
    """
    names = [key if isinstance(key, str) else ATTENTION_ARGUMENTS[key] for key in call.active]
    n_of_logits = sum(name in ("query", "key") for name in names)
    n_factors = ("value" in names) + (n_of_logits > 0 or "attn_mask" in names)
    own = [1 / n_of_logits if name in ("query", "key") else 1.0 for name in names]
    return [share / n_factors for share in own]


def norm_shares(
    call: Call, relevance: Tensor, inputs: Sequence[Tensor], output: Tensor
) -> list[Tensor]:
    """Layer norm as what it is linear in: the centred input, its standard deviation a constant."""
    (x,) = inputs
    norm = _layer_norm_arguments(*call.args, **call.kwargs)
    axes = tuple(range(-len(norm["normalized_shape"]), 0))
    # At a constant row the output is the bias alone, and the scale 1/√eps.
    scale = (x.var(axes, correction=0, keepdim=True) + norm["eps"]).rsqrt()
    slope = relevance / stabilise(output, LEAST_STABILISER) * scale
    slope = slope if norm["weight"] is None else slope * norm["weight"]
    return [x * (slope - slope.mean(axes, keepdim=True))]


def _layer_norm_arguments(
    input: Tensor,  # noqa: A002  (torch's names)
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Mapping[str, Any]:
    return {"normalized_shape": normalized_shape, "weight": weight, "eps": eps}
