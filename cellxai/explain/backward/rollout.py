"""Attention, followed from the scores back to the patches through all layers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cellxai.explain.backward.attention_maps import AttentionMaps
from cellxai.explain.backward.default_layer import run_layers
from cellxai.explain.backward.gradcam import CoarseMaps
from cellxai.explain.backward.gradients import with_gradient
from cellxai.explain.backward.layout import TokenLayout
from cellxai.explain.backward.rules import run_under
from cellxai.explain.base import (
    Attribution,
    Context,
    Explainer,
    Model,
    unsupported_attribution,
)
from cellxai.explain.cost import frozen


class Rollout(Explainer, ABC):
    """Attention followed through the layers: R ← stays · R + mixing · R, from R = 1.

    The map is the row of R that the score is read from: the class token's, or the mean of those
    that are pooled. Never negative. Needs attention among all tokens: within windows it is
    *unsupported*.
    """

    no_planes = "attention is among patches, which are no planes of the image"
    stays: ClassVar[float]
    """The part of R that stays, on the way around the attention."""

    @abstractmethod
    def mixing(
        self, attention: Float[Tensor, "b heads n n"], gradient: Float[Tensor, "b heads n n"]
    ) -> Float[Tensor, "b n n"]:
        """How a layer mixes the tokens, besides what stays."""

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        if not isinstance(model, nn.Module):
            return unsupported_attribution(images, "rollout needs the layers of a torch.nn.Module")
        size = context.batch_size
        with frozen(model):
            layouts = token_layouts(model, images)
            maps: list[Tensor | str] = []
            for batch, labels in zip(images.split(size), targets.split(size), strict=True):
                attentions, gradients = attentions_with_gradients(model, batch, labels)
                n_tokens = attentions[0].shape[-1] if attentions else 0
                layout = layouts.get(n_tokens)
                fault = fault_of(attentions, layout)
                if fault or layout is None:
                    return unsupported_attribution(images, fault)
                rows = self.roll_out(attentions, gradients)
                maps += layout.channels_first(rows[..., None])[:, 0]
        return Attribution(CoarseMaps(maps).upsample(images, "bilinear"))

    def roll_out(
        self, attentions: Sequence[Tensor], gradients: Sequence[Tensor]
    ) -> Float[Tensor, "b n"]:
        """Of each token, how much of it arrives where the score is read.

        Rows of the last attention without a gradient, such as all but the class token's, are not
        read.
        """
        n_tokens = attentions[0].shape[-1]
        mixed = torch.eye(n_tokens, dtype=attentions[0].dtype, device=attentions[0].device)
        mixed = mixed.expand(len(attentions[0]), -1, -1)
        for attention, gradient in zip(attentions, gradients, strict=True):
            mixed = self.stays * mixed + self.mixing(attention, gradient) @ mixed
        is_read = gradients[-1].ne(0).any(1).any(-1).to(mixed)
        weights = is_read / is_read.sum(-1, keepdim=True).clamp(min=1)
        return (weights[:, None] @ mixed)[:, 0]


class GradientRollout(Rollout):
    """Attention that raises the score, followed through the layers (arXiv:2103.15679, eq. 5–6).

    Of each layer Ā = mean over heads of (∇A ⊙ A)⁺ and R ← R + Ā R, see :class:`Rollout`.
    """

    meaning = "where attention that raises the score comes from, and not what lowers it"
    stays = 1.0

    def mixing(
        self, attention: Float[Tensor, "b heads n n"], gradient: Float[Tensor, "b heads n n"]
    ) -> Float[Tensor, "b n n"]:
        """See :meth:`Rollout.mixing`."""
        return (attention * gradient).clamp(min=0).mean(1)


class AttentionRollout(Rollout):
    """Attention followed through the layers, whatever the class (arXiv:2005.00928, section 3).

    R ← (A + 1)/2 · R, A the mean over heads. What it shows is the same for every target.
    """

    meaning = "where attention comes from, whatever class is asked for"
    stays = 0.5

    def mixing(
        self, attention: Float[Tensor, "b heads n n"], gradient: Float[Tensor, "b heads n n"]
    ) -> Float[Tensor, "b n n"]:
        """See :meth:`Rollout.mixing`."""
        return attention.mean(1) / 2


def token_layouts(model: nn.Module, images: Float[Tensor, "b c h w"]) -> dict[int, TokenLayout]:
    """Where the patches lie, by the number of tokens."""
    runs, *_ = run_layers(model, images[:1])
    return {run.shape[1]: run.layout for run in runs if isinstance(run.layout, TokenLayout)}


def attentions_with_gradients(
    model: nn.Module, images: Float[Tensor, "b c h w"], targets: Int[Tensor, " b"]
) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """Every attention of the model [b heads queries keys], and the gradient of the score by it."""
    attention_maps = AttentionMaps(len(images))
    scores = run_under(attention_maps.rules(), model, with_gradient(images))
    with torch.enable_grad():
        of_targets = scores.gather(1, targets[:, None]).sum()
    maps = attention_maps.maps
    gradients = torch.autograd.grad(of_targets, maps, materialize_grads=True) if maps else ()
    return [attention.detach() for attention in maps], gradients


def fault_of(attentions: Sequence[Tensor], layout: TokenLayout | None) -> str:
    """Why there is no way from layer to layer; empty where there is one."""
    if not attentions:
        return "rollout needs attention: the model calls no softmax over tokens"
    n_tokens = attentions[0].shape[-1]
    other = next((a for a in attentions if a.shape[-2:] != (n_tokens, n_tokens)), None)
    if other is not None:
        return (
            f"rollout needs attention among all tokens in every layer, got {n_tokens} tokens and "
            f"then {other.shape[-2]} by {other.shape[-1]}"
        )
    if layout is None:
        return f"rollout needs attention among all patches, got {n_tokens} tokens a time (windows)"
    return ""
