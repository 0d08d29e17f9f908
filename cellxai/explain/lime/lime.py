"""LIME: the mathematics of the package, with masks on the device and all surrogates at once."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Model
from cellxai.explain.by_plane import SuperpixelExplainer
from cellxai.explain.lime.designs import Bernoulli, Design
from cellxai.explain.lime.doubts import doubt_of_drift, doubts_of
from cellxai.explain.lime.feature_selection import FeatureSelection, select
from cellxai.explain.lime.samples import Samples, draw_samples, evaluate_samples, pad_samples
from cellxai.explain.lime.stopping import Stop
from cellxai.explain.lime.surrogate import (
    Surrogate,
    fit_surrogate,
    is_constant,
    weighted_moments,
)
from cellxai.explain.perturbation import perturbed_scores
from cellxai.explain.status import Doubt
from cellxai.explain.superpixels.base import paint_each
from cellxai.explain.verdict import with_doubts

DRIFT_SAMPLES = 8  # of each image, computed once more in full precision


@dataclass(frozen=True)
class LimeExplanation:
    """Surrogates of several classes of each image.

    Args:
        surrogate: Coefficients, intercepts, local predictions and R².
        exists: Which superpixels an image has; coefficients beyond are padding.
        samples: The samples of each image that they were fitted to.
        doubts: What speaks against them.
    """

    surrogate: Surrogate
    exists: Bool[Tensor, "b s"]
    samples: tuple[Samples, ...]
    doubts: tuple[Doubt, ...]


class Lime(SuperpixelExplainer):
    """LIME (Ribeiro et al. 2016, arXiv:1602.04938): a ridge regression on the shown superpixels.

    With the default design it draws the samples that the ``lime`` package draws at the same seed,
    and gives the package's coefficients to rounding (tested to 1e-12 in float64).

    Args:
        n_samples: Perturbed images per explained image at most, the whole image included.
        n_features: Superpixels that keep a coefficient; the others get 0.
        kernel_width: Width of the exponential kernel on the cosine distance.
        feature_selection: How these are chosen; "auto" goes one by one up to 6, else by weight.
        design: Which superpixels the samples show; null for the package's draws.
        stop: Ends sampling when the ranking is stable; null for always ``n_samples``.
        bf16: Computes the model in mixed precision, and tells how far that moves the scores.
        by_plane: Whether each superpixel has a coefficient in each plane, which counts as one
            superpixel: players are superpixel × plane.
    """

    def __init__(
        self,
        n_samples: int = 1000,
        n_features: int = 100_000,
        kernel_width: float = 0.25,
        feature_selection: FeatureSelection = "auto",
        design: Design | None = None,
        stop: Stop | None = None,
        bf16: bool = False,
        by_plane: bool = False,
    ) -> None:
        for name, value, least in (("n_samples", n_samples, 2), ("n_features", n_features, 1)):
            if value < least:
                raise ValueError(f"{name}={value} fits no surrogate; pass {name}>={least}")
        if not kernel_width > 0:
            raise ValueError(
                f"kernel_width={kernel_width} gives no sample a weight; pass kernel_width>0"
            )
        self.n_samples = n_samples
        self.n_features = n_features
        self.kernel_width = kernel_width
        self.feature_selection: FeatureSelection = feature_selection
        self.design = design
        self.stop = stop
        self.bf16 = bf16
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
        coefficients = explanation.surrogate.coefficients[:, 0].to(images)
        looks = [samples.stability for samples in explanation.samples]
        stability = [look for look in looks if look is not None]
        attribution = Attribution(
            values=paint_each(list(coefficients), context.superpixels),
            superpixel_values=coefficients.masked_fill(~explanation.exists, torch.nan),
            surrogate_r2=explanation.surrogate.r2[:, 0].to(images),
            ranking_stability=torch.cat(stability).to(images) if stability else None,
        )
        return with_doubts(attribution, explanation.doubts)

    def explain(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        classes: Int[Tensor, "b t"],
        context: Context,
    ) -> LimeExplanation:
        """Surrogates of several classes of each image by superpixel, from the same samples.

        Args:
            model: Images in [0, 1] to scores, in evaluation mode.
            images: The images to explain.
            classes: Columns of the scores, such as :func:`top_classes`.
            context: Superpixels, baseline, seed and batch size.
        """
        design = self.design or Bernoulli()
        per_image = self._samples(model, images, classes, context, design)
        evaluations = pad_samples(per_image)
        masks, scores = evaluations.masks, evaluations.scores
        counts = [samples.n_superpixels for samples in per_image]
        column = torch.arange(masks.shape[-1], device=images.device)
        exists = column < torch.tensor(counts, device=images.device)[:, None]
        known = torch.where(scores.isfinite().all(1, keepdim=True), scores, 0)
        fitted_to = replace(evaluations, scores=known)
        moments = weighted_moments(fitted_to)
        selected = select(moments, exists, self.n_features, self.feature_selection)
        surrogate = mask_meaningless(fit_surrogate(fitted_to, selected), scores)
        doubts = doubts_of(per_image, scores, design, self.stop)
        if self.bf16:
            doubts = (*doubts, self._drift(model, images, classes, context, per_image))
        return LimeExplanation(surrogate, exists, tuple(per_image), doubts)

    def _samples(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        classes: Int[Tensor, "b t"],
        context: Context,
        design: Design,
    ) -> list[Samples]:
        """Draws and evaluates the samples of each image."""
        n_classes, seed, device = classes.shape[1], context.seed, images.device
        counts = (context.superpixels.flatten(1).amax(1) + 1).tolist()
        drawn = [
            draw_samples(design, n, self.n_samples, n_classes, self.kernel_width, seed, device)
            for n in counts
        ]

        def evaluate(owners: Tensor, masks: Tensor) -> Tensor:
            return perturbed_scores(model, images, context, owners, masks, classes, self.bf16)

        return evaluate_samples(drawn, evaluate, design, self.stop, seed)

    def _drift(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        classes: Int[Tensor, "b t"],
        context: Context,
        per_image: list[Samples],
    ) -> Doubt:
        """How far mixed precision is from full precision on the first samples of each image."""
        few = pad_samples(
            [replace(samples, n_used=min(DRIFT_SAMPLES, samples.n_used)) for samples in per_image]
        )
        masks, mixed = few.masks, few.scores
        owners = torch.arange(len(masks), device=masks.device).repeat_interleave(masks.shape[1])
        exact = perturbed_scores(model, images, context, owners, masks.flatten(0, 1), classes)
        return doubt_of_drift(mixed, exact.view_as(mixed), pad_samples(per_image).scores)


def top_classes(scores: Float[Tensor, "b k"], n: int) -> Int[Tensor, "b t"]:
    """The ``n`` columns of highest score, the highest first: ``lime``'s ``top_labels``."""
    return scores.topk(min(n, scores.shape[1]), dim=1).indices


def mask_meaningless(surrogate: Surrogate, scores: Float[Tensor, "b n t"]) -> Surrogate:
    """Coefficients become 0 where the score never changes, and all NaN where it was not finite."""
    constant = is_constant(scores)[..., None]
    unknown = ~scores.isfinite().all(1)
    coefficients = surrogate.coefficients.masked_fill(constant, 0)
    return Surrogate(
        coefficients.masked_fill(unknown[..., None], torch.nan),
        surrogate.intercept.masked_fill(unknown, torch.nan),
        surrogate.local_prediction.masked_fill(unknown, torch.nan),
        surrogate.r2.masked_fill(unknown, torch.nan),
    )
