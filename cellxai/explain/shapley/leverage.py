"""Shapley values by regression on coalitions that are drawn by their leverage scores, in pairs."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Model
from cellxai.explain.by_plane import SuperpixelExplainer
from cellxai.explain.lime.surrogate import is_constant
from cellxai.explain.perturbation import perturbed_scores
from cellxai.explain.shapley.coalitions import ENDS, draw_coalitions
from cellxai.explain.shapley.doubts import doubts_of
from cellxai.explain.shapley.interactions import fit_pairs, pairs_exist
from cellxai.explain.shapley.regression import Game, fit_players
from cellxai.explain.shapley.rounds import Played, bound_of, covariance_of, game_of, play
from cellxai.explain.shapley.stopping import StopAtError
from cellxai.explain.status import Doubt
from cellxai.explain.superpixels.base import paint_each
from cellxai.explain.verdict import with_doubts

CONFIDENCE = 0.95  # of the error bound, where no stop asks for another


@dataclass(frozen=True)
class ShapleyExplanation:
    """Shapley values of several classes of each image, in float64 on the CPU.

    Args:
        values: In units of the score; 0 for superpixels that an image does not have.
        covariance: Their covariance over the draws of coalitions; 0 where all were asked about.
        error_bound: What ‖values − exact‖ / ‖exact‖ does not exceed, with the confidence asked for.
        interactions: Worth of each pair beyond its superpixels, and of each alone on the diagonal;
            None where they were not asked for.
        exists: Which superpixels an image has.
        per_image: The coalitions of each image and their scores.
        doubts: What speaks against them.
    """

    values: Float[Tensor, "b t s"]
    covariance: Float[Tensor, "b t s s"]
    error_bound: Float[Tensor, "b t"]
    interactions: Float[Tensor, "b t s s"] | None
    exists: Bool[Tensor, "b s"]
    per_image: tuple[Played, ...]
    doubts: tuple[Doubt, ...]


class LeverageShap(SuperpixelExplainer):
    """Shapley values by Leverage SHAP (Musco and Witter 2025, arXiv:2410.01917).

    The regression of Kernel SHAP, on coalitions of every size alike, without replacement, each with
    its complement; the coefficients sum to score(image) − score(baseline) exactly. How many
    coalitions each size has is fixed, where the paper draws it. They are all coalitions, and the
    values exact, where ``n_samples`` is at least 2^superpixels.

    Args:
        n_samples: Coalitions at most, the image and the baseline included; each takes one forward.
            *Degraded* below twice the superpixels, as the regression then has no unique answer.
        paired: Whether each coalition comes with its complement.
        stop: Ends sampling at an asked error; null for always ``n_samples``.
        interactions: Whether pairs of superpixels are given a value, too, by Faith-Shap of order
            two. *Degraded* where there are fewer coalitions than s (s + 1) needs.
        by_plane: Whether each superpixel has a coefficient in each plane, which counts as one
            superpixel: players are superpixel × plane.
    """

    def __init__(
        self,
        n_samples: int = 1000,
        paired: bool = True,
        stop: StopAtError | None = None,
        interactions: bool = False,
        by_plane: bool = False,
    ) -> None:
        if n_samples < ENDS + 2:
            raise ValueError(f"n_samples={n_samples} fits nothing; pass n_samples>={ENDS + 2}")
        if interactions and by_plane:
            raise ValueError(
                "interactions=true with by_plane=true: pairs of superpixels have no plane; pass one"
            )
        self.n_samples = n_samples
        self.paired = paired
        self.stop = stop
        self.interactions = interactions
        self.by_plane = by_plane

    def attribute_superpixels(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`SuperpixelExplainer.attribute_superpixels`."""
        explanation = self.explain(model, images, targets[:, None], context)
        exists = explanation.exists
        neither = ~pairs_exist(exists)
        pairs, values = explanation.interactions, explanation.values[:, 0].to(images)
        change = torch.stack([played.total[0] for played in explanation.per_image]).to(images)

        def padded(numbers: Tensor, missing: Tensor) -> Tensor:
            return numbers[:, 0].masked_fill(missing, torch.nan).to(images)

        attribution = Attribution(
            values=paint_each(list(values), context.superpixels),
            superpixel_values=padded(explanation.values, ~exists),
            superpixel_covariance=padded(explanation.covariance, neither),
            relative_error=explanation.error_bound[:, 0].to(images),
            superpixel_pairs=None if pairs is None else padded(pairs, neither),
            completeness_gap=values.sum(1) - change,
        )
        return with_doubts(attribution, explanation.doubts)

    def explain(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        classes: Int[Tensor, "b t"],
        context: Context,
    ) -> ShapleyExplanation:
        """Shapley values of several classes of each image, from the same coalitions.

        Args:
            model: Images in [0, 1] to scores, in evaluation mode.
            images: The images to explain.
            classes: Columns of the scores.
            context: Superpixels, baseline, seed and batch size.
        """
        counts = (context.superpixels.flatten(1).amax(1) + 1).tolist()
        drawn = [draw_coalitions(n, self.n_samples, self.paired, context.seed) for n in counts]

        def evaluate(owners: Tensor, masks: Tensor) -> Tensor:
            masks, owners = masks.to(images.device), owners.to(images.device)
            return perturbed_scores(model, images, context, owners, masks, classes)

        per_image = play(drawn, evaluate, classes.shape[1], self.stop)
        return self._explain_game(game_of(per_image), per_image)

    def _explain_game(self, game: Game, per_image: list[Played]) -> ShapleyExplanation:
        unknown = ~game.scores.isfinite().all(1)
        known = replace(game, scores=torch.where(unknown[:, None], 0, game.scores))
        fit = fit_players(known)
        covariance = covariance_of(known, fit, per_image)
        confidence = self.stop.confidence if self.stop else CONFIDENCE
        bound = bound_of(fit, covariance, per_image, confidence)
        pairs, pair_fit = fit_pairs(known) if self.interactions else (None, None)
        doubts = doubts_of(game, per_image, fit, pair_fit, self.stop)
        nothing, unclear = is_constant(known.scores), unknown[..., None]
        return ShapleyExplanation(
            fit.terms.masked_fill(nothing[..., None], 0).masked_fill(unclear, torch.nan),
            covariance.masked_fill(unclear[..., None], torch.nan),
            bound.masked_fill(nothing | unknown, torch.nan),
            None if pairs is None else pairs.masked_fill(unclear[..., None], torch.nan),
            game.exists,
            tuple(per_image),
            doubts,
        )
