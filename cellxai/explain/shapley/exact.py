"""Exact Shapley values, by their definition, from the scores of all coalitions."""

from dataclasses import replace
from functools import partial
from math import comb

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cellxai.explain.base import Attribution, Context, Model
from cellxai.explain.by_plane import SuperpixelExplainer
from cellxai.explain.perturbation import perturbed_scores
from cellxai.explain.status import doubt_of_images
from cellxai.explain.superpixels.base import paint_each
from cellxai.explain.verdict import with_doubts

MOST_PLAYERS = 14  # 16 384 coalitions


class ExactShapley(SuperpixelExplainer):
    """Shapley values from the scores of all 2^s coalitions, by their definition (Shapley 1953).

    What estimates are judged by. *Unsupported* for images of more than 14 superpixels.

    Args:
        by_plane: Whether each superpixel has a coefficient in each plane, which counts as one
            superpixel: players are superpixel × plane.
    """

    def __init__(self, by_plane: bool = False) -> None:
        self.by_plane = by_plane

    def attribute_superpixels(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`SuperpixelExplainer.attribute_superpixels`."""
        counts = context.superpixels.flatten(1).amax(1) + 1
        value_of = partial(_values_of_image, model, images, targets, context)
        values = [value_of(i, n) for i, n in enumerate(counts.tolist())]
        painted = paint_each(values, context.superpixels)
        attribution = Attribution(painted, superpixel_values=pad_sequence(values, True, torch.nan))
        fault = f"more than {MOST_PLAYERS} superpixels have too many coalitions to ask about all"
        doubt = doubt_of_images(counts > MOST_PLAYERS, fault, if_all="unsupported")
        return attribution if doubt is None else with_doubts(attribution, [doubt])


def _values_of_image(
    model: Model,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    context: Context,
    i: int,
    n_players: int,
) -> Float[Tensor, " s"]:
    """Values of one image; NaN where it has too many players."""
    if n_players > MOST_PLAYERS:
        return images.new_full((n_players,), torch.nan)
    masks = all_coalitions(n_players).to(images.device)
    alone = replace(
        context, superpixels=context.superpixels[i : i + 1], baseline=context.baseline[i : i + 1]
    )
    owners = torch.zeros(len(masks), dtype=torch.long, device=images.device)
    column = targets[i : i + 1, None]
    scores = perturbed_scores(model, images[i : i + 1], alone, owners, masks, column)[:, 0]
    return exact_shapley_values(scores).to(images)


def all_coalitions(n_players: int) -> Bool[Tensor, "n s"]:
    """All coalitions: player i belongs to coalition j if bit i of j is set."""
    bits = torch.arange(2**n_players)[:, None] >> torch.arange(n_players)
    return (bits & 1).bool()


def exact_shapley_values(scores: Float[Tensor, " n"]) -> Float[Tensor, " s"]:
    """φ_i = Σ |S|! (s−|S|−1)! / s! (v(S ∪ i) − v(S)) over all S without i.

    Args:
        scores: v of :func:`all_coalitions`, in their order.
    """
    n_players = len(scores).bit_length() - 1
    sizes = all_coalitions(n_players).sum(1)
    shares = [1 / (n_players * comb(n_players - 1, size)) for size in range(n_players)]
    share_of = torch.tensor([*shares, 0.0], dtype=scores.dtype, device=scores.device)
    coalition = torch.arange(len(scores), device=scores.device)
    values = []
    for player in range(n_players):
        without = coalition[(coalition >> player) & 1 == 0]
        rise = scores[without | 1 << player] - scores[without]
        values.append((share_of[sizes.to(scores.device)[without]] * rise).sum())
    return torch.stack(values)
