"""Captum's own LIME, configured to be LIME.

By default Captum differs from the package in everything: Lasso instead of ridge, the Euclidean
distance between images instead of the cosine distance between masks, and 50 samples that do not
include the image itself.
"""

from collections.abc import Iterable
from dataclasses import replace

import torch
from captum import attr
from jaxtyping import Float, Int
from sklearn.linear_model import Ridge
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Model
from cellxai.explain.by_plane import SuperpixelExplainer
from cellxai.explain.hiding.by_superpixel import Captum, attribute_by_superpixel, with_finite_check
from cellxai.explain.lime.designs import Bernoulli
from cellxai.explain.lime.surrogate import locality_weights


class CaptumLime(SuperpixelExplainer):
    """LIME (arXiv:1602.04938) by Captum's sampler, with the mathematics of the ``lime`` package.

    Bernoulli masks of which the first shows everything, an exponential kernel on their cosine
    distance to it, weighted ridge. No feature selection: every superpixel keeps its coefficient.
    The same seed draws the masks that the package draws, and the coefficients agree.

    Args:
        n_samples: Perturbed images per explained image.
        kernel_width: Width of the exponential kernel on the cosine distance.
        by_plane: Whether each superpixel has a coefficient in each plane, which counts as one
            superpixel: players are superpixel × plane.
    """

    def __init__(
        self, n_samples: int = 1000, kernel_width: float = 0.25, by_plane: bool = False
    ) -> None:
        if n_samples < 2:
            raise ValueError(f"n_samples={n_samples} fits no surrogate; pass n_samples>=2")
        self.n_samples = n_samples
        self.kernel_width = kernel_width
        self.by_plane = by_plane

    def attribute_superpixels(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`SuperpixelExplainer.attribute_superpixels`."""
        surrogate = RidgeSurrogate()
        attribute = self._captum(with_finite_check(model), surrogate, context.seed)
        attribution = attribute_by_superpixel(attribute, images, targets, context)
        if len(surrogate.r2) < len(images):  # some image has no finite scores to fit to
            return attribution
        return replace(attribution, surrogate_r2=images.new_tensor(surrogate.r2))

    def _captum(self, model: Model, surrogate: "RidgeSurrogate", seed: int) -> Captum:
        def attribute(
            image: Float[Tensor, "1 c h w"],
            baselines: Float[Tensor, "1 c h w"],
            target: Int[Tensor, "1"],
            feature_mask: Int[Tensor, "1 1 h w"],
            perturbations_per_eval: int,
        ) -> Tensor:
            weights = locality_weights(int(feature_mask.max()) + 1, self.kernel_width).to(
                image.device
            )
            drawn = Bernoulli().masks(self.n_samples, weights, seed)
            masks = iter(drawn.long().to(image.device))
            method = attr.Lime(
                model,
                surrogate,  # pyright: ignore[reportArgumentType]  (has what Captum calls)
                # Captum also passes images, baselines and more, which LIME has no use for.
                lambda _, __, mask, **others: weights[mask.sum()],
                lambda _, **others: next(masks)[None],
            )
            return method.attribute(
                image, baselines, target, None, feature_mask, self.n_samples, perturbations_per_eval
            )

        return attribute


class RidgeSurrogate:
    """Ridge with an intercept, α = 1 as in the package, which Captum fits once for each image."""

    def __init__(self) -> None:
        self.r2: list[float] = []
        self.coefficients = torch.empty(0)

    def fit(self, train_data: Iterable[list[Tensor]]) -> None:
        """Fits to the one batch of masks, scores and weights."""
        ((masks, scores, weights),) = (
            [part.double().cpu().numpy() for part in batch] for batch in train_data
        )
        ridge = Ridge(alpha=1.0).fit(masks, scores, weights)
        self.r2.append(float(ridge.score(masks, scores, weights)))
        self.coefficients = torch.from_numpy(ridge.coef_)

    def representation(self) -> Float[Tensor, "1 s"]:
        """Coefficients of the last fit."""
        return self.coefficients[None]
