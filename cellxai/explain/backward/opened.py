"""Functions of torch that rules see as the functions that they are made of.

Torch calls ``multi_head_attention_forward`` as one function, and what is inside would be hidden.
"""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

ARGUMENTS = signature(F.multi_head_attention_forward)
UNUSUAL = ("bias_k", "bias_v", "key_padding_mask", "q_proj_weight", "static_k", "static_v")


def opened(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Callable[[], Any] | None:
    """What answers a call by the functions that it is made of; None for a call that stays whole."""
    if name != F.multi_head_attention_forward.__name__:
        return None
    bound = ARGUMENTS.bind(*args, **kwargs)
    bound.apply_defaults()
    given = bound.arguments
    drops = given["training"] and given["dropout_p"] > 0
    if given["query"].dim() != 3 or given["add_zero_attn"] or drops:
        return None
    if any(given[argument] is not None for argument in UNUSUAL):
        return None
    return lambda: attend_by_heads(given)


def attend_by_heads(given: Mapping[str, Any]) -> tuple[Tensor, Tensor | None]:
    """Torch's ``multi_head_attention_forward`` in steps; images come first meanwhile.

    Args:
        given: Its arguments by name, queries, keys and values as [tokens images width].
    """
    query, key, value = (
        F.linear(given[name].transpose(0, 1), weight, bias)
        .unflatten(-1, (given["num_heads"], -1))
        .transpose(1, 2)
        for name, weight, bias in zip(
            ("query", "key", "value"),
            given["in_proj_weight"].chunk(3),
            (None,) * 3 if given["in_proj_bias"] is None else given["in_proj_bias"].chunk(3),
            strict=True,
        )
    )
    mask = _added_mask(given["attn_mask"], query, given["num_heads"])
    weights = None
    if given["need_weights"]:
        logits = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
        weights = (logits if mask is None else logits + mask).softmax(-1)
        mixed = weights @ value
    else:
        is_causal = given["is_causal"] and mask is None
        mixed = F.scaled_dot_product_attention(query, key, value, mask, is_causal=is_causal)
    joined = mixed.transpose(1, 2).flatten(2)
    answer = F.linear(joined, given["out_proj_weight"], given["out_proj_bias"]).transpose(0, 1)
    if weights is not None and given["average_attn_weights"]:
        weights = weights.mean(1)
    return answer, weights


def _added_mask(mask: Tensor | None, query: Tensor, n_heads: int) -> Tensor | None:
    """A mask that is added to the logits; of booleans, what is True is hidden."""
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill(mask, -torch.inf)
    if mask is not None and mask.dim() == 3:
        return mask.unflatten(0, (-1, n_heads))
    return mask
