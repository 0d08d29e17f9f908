"""Reads the attention of a transformer that is not changed, also where it is computed fused."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.explain.backward.rules import Call, Rules, own_rule


class AttentionMaps:
    """Softmaxes over tokens, in the order in which a model computes them.

    Args:
        n_images: Images of the batch, which are the first axis of an attention, or its slowest.

    Attributes:
        maps: Each [b heads queries keys], part of torch's graph.
    """

    def __init__(self, n_images: int) -> None:
        self.n_images = n_images
        self.maps: list[Float[Tensor, "b heads q k"]] = []

    def rules(self) -> Rules:
        """The rules to enter around the forward pass; gradients stay torch's own."""
        by_name = {"scaled_dot_product_attention": self.unfused, "softmax": self.noted}
        return Rules(by_name, otherwise=own_rule)

    def unfused(self, call: Call) -> Tensor:
        """The same attention in steps, of which the softmax is kept."""
        attention, value = attention_and_values(*call.args, **call.kwargs)
        return self._note(attention) @ value

    def noted(self, call: Call) -> Tensor:
        """A softmax over the last axis is kept."""
        axis = call.args[1] if len(call.args) > 1 else call.kwargs["dim"]
        answer = call.run()
        is_over_keys = answer.dim() > 2 and axis % answer.dim() == answer.dim() - 1
        return self._note(answer) if is_over_keys else answer

    def _note(self, attention: Tensor) -> Tensor:
        if len(attention) % self.n_images:
            return attention
        by_image = attention.reshape(self.n_images, -1, *attention.shape[-2:])
        self.maps.append(by_image)
        return by_image.view_as(attention)  # so that a gradient of what is kept is one of the model


def attention_and_values(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    **others: Any,
) -> tuple[Tensor, Tensor]:
    """The softmax of torch's ``scaled_dot_product_attention``, and the values that it weighs."""
    key, value = _shared_by_groups(key, value, query.shape[1], others)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    logits = query @ key.transpose(-2, -1) * scale
    if is_causal:
        attn_mask = torch.ones_like(logits, dtype=torch.bool).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        logits = logits.masked_fill(~attn_mask, -torch.inf)
    elif attn_mask is not None:
        logits = logits + attn_mask
    return logits.softmax(-1), value


def _shared_by_groups(
    key: Tensor, value: Tensor, n_heads: int, others: Mapping[str, Any]
) -> tuple[Tensor, Tensor]:
    if not others.get("enable_gqa"):
        return key, value
    return (
        key.repeat_interleave(n_heads // key.shape[1], 1),
        value.repeat_interleave(n_heads // value.shape[1], 1),
    )
