"""LIME: the package's mathematics, with masks on the device and all surrogates solved together."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Explainer, Model
from cellxai.explain.lime.designs import Bernoulli, Design
from cellxai.explain.lime.doubts import Doubt, doubts_of, drift_doubt, worst
from cellxai.explain.lime.feature_selection import FeatureSelection, select
from cellxai.explain.lime.samples import Samples, collect, draw, padded
from cellxai.explain.lime.stopping import Stop
from cellxai.explain.lime.surrogate import Surrogate, fit, is_constant, moments
from cellxai.explain.perturbation import perturbed_scores
from cellxai.explain.superpixels.base import painted

DRIFT_SAMPLES = 8  # of each image, computed once more in full precision


@dataclass(frozen=True)
class LimeExplanation:
    """Surrogates of several classes of each image.

    Args:
        surrogate: Coefficients, intercepts, local predictions and R².
        exists: Which superpixels an image has; coefficients beyond are padding.
        samples: What they were fitted to.
        doubts: What speaks against them.
    """

    surrogate: Surrogate
    exists: Bool[Tensor, "b s"]
    samples: tuple[Samples, ...]
    doubts: tuple[Doubt, ...]


class Lime(Explainer):
    """LIME (Ribeiro et al. 2016, arXiv:1602.04938): a ridge on which superpixels are shown.

    With the default design it draws the samples that the ``lime`` package draws at the same seed,
    and gives the package's coefficients to rounding (tested to 1e-12 in float64).

    Args:
        n_samples: Perturbed images per explained image at most, the whole image included.
        n_features: Superpixels that keep a coefficient; the others get 0.
        kernel_width: Of the exponential kernel on the cosine distance.
        feature_selection: How they are chosen; "auto" goes one by one up to 6, else by weight.
        design: Which superpixels the samples show; null for the package's draws.
        stop: Ends sampling when the ranking is stable; null for always ``n_samples``.
        bf16: Computes the model in mixed precision, and tells how far the scores drift by it.
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
    ) -> None:
        for name, value, least in (("n_samples", n_samples, 2), ("n_features", n_features, 1)):
            if value < least:
                raise ValueError(f"{name}={value} fits no surrogate; pass {name}>={least}")
        if not kernel_width > 0:
            raise ValueError(f"kernel_width={kernel_width} sees no sample; pass kernel_width>0")
        self.n_samples = n_samples
        self.n_features = n_features
        self.kernel_width = kernel_width
        self.feature_selection: FeatureSelection = feature_selection
        self.design = design
        self.stop = stop
        self.bf16 = bf16

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        found = self.explain(model, images, targets[:, None], context)
        coefficients = found.surrogate.coefficients[:, 0].to(images)
        pairs = zip(coefficients, context.superpixels, strict=True)
        stability = [one.stability for one in found.samples if one.stability is not None]
        return Attribution(
            values=torch.stack([painted(*pair) for pair in pairs]),
            superpixel_values=coefficients.masked_fill(~found.exists, torch.nan),
            surrogate_r2=found.surrogate.r2[:, 0].to(images),
            ranking_stability=torch.cat(stability).to(images) if stability else None,
            status=worst(found.doubts),
            reason="; ".join(doubt.reason for doubt in found.doubts),
        )

    def explain(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        classes: Int[Tensor, "b t"],
        context: Context,
    ) -> LimeExplanation:
        """Surrogates of several classes of each image, from the same samples.

        Args:
            model: Images in [0, 1] to scores, in evaluation mode.
            images: The images to explain.
            classes: Columns of the scores, such as :func:`top_classes`.
            context: Superpixels, baseline, seed and batch size.
        """
        design = self.design or Bernoulli()
        samples = self._samples(model, images, classes, context, design)
        masks, scores, weights = padded(samples)
        sizes = torch.tensor([one.masks.shape[1] for one in samples], device=images.device)
        exists = torch.arange(masks.shape[-1], device=images.device) < sizes[:, None]
        known = torch.where(scores.isfinite().all(1, keepdim=True), scores, 0)
        found = moments(masks, known, weights)
        selected = select(found, exists, self.n_features, self.feature_selection)
        surrogate = without_fiction(fit(masks, known, weights, selected), scores)
        doubts = doubts_of(samples, scores, design, self.stop)
        if self.bf16:
            doubts = (*doubts, self._drift(model, images, classes, context, samples))
        return LimeExplanation(surrogate, exists, tuple(samples), doubts)

    def _samples(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        classes: Int[Tensor, "b t"],
        context: Context,
        design: Design,
    ) -> list[Samples]:
        """Draws and evaluates."""
        n_classes, seed, device = classes.shape[1], context.seed, images.device
        sizes = (context.superpixels.flatten(1).amax(1) + 1).tolist()
        drawn = [
            draw(design, size, self.n_samples, n_classes, self.kernel_width, seed, device)
            for size in sizes
        ]

        def evaluate(owners: Tensor, masks: Tensor) -> Tensor:
            return perturbed_scores(model, images, context, owners, masks, classes, self.bf16)

        return collect(drawn, evaluate, design, self.stop, seed)

    def _drift(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        classes: Int[Tensor, "b t"],
        context: Context,
        samples: list[Samples],
    ) -> Doubt:
        """How far mixed precision is from full precision on the first samples of each image."""
        few = [replace(one, n_used=min(DRIFT_SAMPLES, one.n_used)) for one in samples]
        masks, scores, _ = padded(few)
        owners = torch.arange(len(masks), device=masks.device).repeat_interleave(masks.shape[1])
        exact = perturbed_scores(model, images, context, owners, masks.flatten(0, 1), classes)
        return drift_doubt(scores, exact.view_as(scores), padded(samples)[1])


def top_classes(scores: Float[Tensor, "b k"], n: int) -> Int[Tensor, "b t"]:
    """The ``n`` columns of highest score, the highest first: ``lime``'s ``top_labels``."""
    return scores.topk(min(n, scores.shape[1]), dim=1).indices


def without_fiction(surrogate: Surrogate, scores: Float[Tensor, "b n t"]) -> Surrogate:
    """Coefficients that are 0 where the score never changes and NaN where it was no number."""
    nothing = is_constant(scores)[..., None]
    unknown = ~scores.isfinite().all(1)
    zeros = surrogate.coefficients.masked_fill(nothing, 0)
    return Surrogate(
        zeros.masked_fill(unknown[..., None], torch.nan),
        surrogate.intercept.masked_fill(unknown, torch.nan),
        surrogate.local_prediction.masked_fill(unknown, torch.nan),
        surrogate.r2.masked_fill(unknown, torch.nan),
    )
