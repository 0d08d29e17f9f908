"""Shapley values of superpixels, by Captum: by permutations and by weighted regression."""

from dataclasses import replace
from functools import partial

import torch
from captum import attr
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Model
from cellxai.explain.by_plane import SuperpixelExplainer
from cellxai.explain.completeness import change_of_score
from cellxai.explain.hiding.by_superpixel import Captum, attribute_by_superpixel, with_finite_check


class ShapleyValueSampling(SuperpixelExplainer):
    """Mean rise of the score when a superpixel joins others, in random orders (Strumbelj 2010).

    Signed; the coefficients sum to score(image) − score(baseline), whatever the orders.

    Args:
        n_permutations: Random orders; each takes one forward per superpixel.
        by_plane: Whether each superpixel has a coefficient in each plane, which counts as one
            superpixel: players are superpixel × plane.
    """

    def __init__(self, n_permutations: int = 25, by_plane: bool = False) -> None:
        if n_permutations < 1:
            raise ValueError(
                f"n_permutations={n_permutations} gives no order; pass n_permutations>=1"
            )
        self.n_permutations = n_permutations
        self.by_plane = by_plane

    def attribute_superpixels(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`SuperpixelExplainer.attribute_superpixels`."""
        method = attr.ShapleyValueSampling(with_finite_check(model))
        attribute = partial(method.attribute, n_samples=self.n_permutations)
        attribution = attribute_by_superpixel(attribute, images, targets, context)
        return with_gap(attribution, model, images, targets, context)


class KernelShap(SuperpixelExplainer):
    """Shapley values by weighted linear regression on random coalitions (arXiv:1705.07874, th. 2).

    Signed; the coefficients sum to score(image) − score(baseline) up to the completeness gap.

    Args:
        n_samples: Random coalitions; each takes one forward. *Degraded* where they are not more
            than the superpixels, as the regression then has no unique answer.
        by_plane: Whether each superpixel has a coefficient in each plane, which counts as one
            superpixel: players are superpixel × plane.
    """

    def __init__(self, n_samples: int = 1000, by_plane: bool = False) -> None:
        if n_samples < 3:
            raise ValueError(f"n_samples={n_samples} fits nothing; pass n_samples>=3")
        self.n_samples = n_samples
        self.by_plane = by_plane

    def attribute_superpixels(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`SuperpixelExplainer.attribute_superpixels`."""
        attribute = _kernel_shap(with_finite_check(model), self.n_samples)
        attribution = attribute_by_superpixel(attribute, images, targets, context)
        attribution = with_gap(attribution, model, images, targets, context)
        n_superpixels = int(context.superpixels.max()) + 1
        if self.n_samples > n_superpixels:
            return attribution
        reason = f"{self.n_samples} samples for {n_superpixels} superpixels have no unique answer"
        return replace(attribution, status="degraded", reason=reason)


def with_gap(
    attribution: Attribution,
    model: Model,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    context: Context,
) -> Attribution:
    """The attribution with what its coefficients miss of the change of the score."""
    assert attribution.superpixel_values is not None
    change = change_of_score(model, images, context.baseline, targets, context.batch_size)
    return replace(attribution, completeness_gap=attribution.superpixel_values.nansum(1) - change)


def _kernel_shap(model: Model, n_samples: int) -> Captum:
    """Captum's Kernel SHAP, and ablation for a single superpixel: its value is the whole change.

    Captum cannot draw coalitions of a single superpixel.
    """
    ablation, kernel_shap = attr.FeatureAblation(model), attr.KernelShap(model)

    def attribute(
        image: Float[Tensor, "1 c h w"],
        baselines: Float[Tensor, "1 c h w"],
        target: Int[Tensor, "1"],
        feature_mask: Int[Tensor, "1 1 h w"],
        perturbations_per_eval: int,
    ) -> Tensor:
        arguments = (image, baselines, target, None, feature_mask)
        if not torch.any(feature_mask):
            return ablation.attribute(*arguments)
        return kernel_shap.attribute(*arguments, n_samples, perturbations_per_eval)

    return attribute
