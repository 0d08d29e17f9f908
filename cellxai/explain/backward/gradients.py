"""Attributions from the gradient of the target score with respect to the pixels, by Captum."""

from collections.abc import Callable
from typing import Any

import torch
from captum import attr
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Explainer, Model, attribution_of_planes
from cellxai.explain.completeness import judge_completeness

OF_SENSITIVITY = "how much a pixel matters, not in which direction"
TOLERATED_GAP = 0.05  # of the change of the score, by the quadrature of integrated gradients


class Saliency(Explainer):
    """|∂ score / ∂ pixel|, summed over the channels (Simonyan et al. 2014, arXiv:1312.6034).

    Never negative: it says how much a pixel matters, not in which direction.
    """

    meaning = OF_SENSITIVITY

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        maps = attr.Saliency(model).attribute
        return attribution_of_planes(maps_by_plane(maps, images, targets, context.batch_size))


class InputXGradient(Explainer):
    """Pixel times ∂ score / ∂ pixel, summed over the channels (Shrikumar et al. 2016).

    Signed, and relative to a black image whatever the baseline: a black pixel always gets 0.
    """

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        maps = attr.InputXGradient(model).attribute
        return attribution_of_planes(maps_by_plane(maps, images, targets, context.batch_size))


class IntegratedGradients(Explainer):
    """Gradients on the straight line from baseline to image (arXiv:1703.01365, eq. 1).

    Signed; the map sums to score(image) − score(baseline) up to the reported completeness gap, and
    is *degraded* where that is more than 5 % of the change: more steps are needed then.

    Args:
        n_steps: Points of the Gauss-Legendre quadrature, each one forward and one backward.
    """

    def __init__(self, n_steps: int = 50) -> None:
        if n_steps < 1:
            raise ValueError(f"n_steps={n_steps} integrates nothing; pass n_steps>=1")
        self.n_steps = n_steps

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        method = attr.IntegratedGradients(model)
        # One image at a time: its steps fill the batch, and the memory does not grow with b.
        singles = zip(images.split(1), context.baseline.split(1), targets.split(1), strict=True)
        maps, gaps = zip(
            *(
                method.attribute(
                    with_gradient(image),
                    baseline,
                    target,
                    n_steps=self.n_steps,
                    internal_batch_size=context.batch_size,
                    return_convergence_delta=True,
                )
                for image, baseline, target in singles
            ),
            strict=True,
        )
        by_plane = torch.cat(maps).detach()
        values = by_plane.sum(1).to(images.dtype)
        change = values.sum((1, 2)) - torch.cat(gaps).detach().to(images.dtype)
        attribution = Attribution(values, plane_values=by_plane.to(images.dtype))
        return judge_completeness(attribution, change, TOLERATED_GAP)


def with_gradient(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """A copy that gradients reach; the tensor of the caller stays as it is."""
    return images.detach().clone().requires_grad_()


def maps_by_plane(
    attribute: Callable[..., Any],
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    batch_size: int,
) -> Float[Tensor, "b c h w"]:
    """The maps by plane that a gradient method of Captum gives, batch by batch.

    Args:
        attribute: Captum's method. It takes the images and ``target``, and returns a tensor; its
            own annotation also names tuples, for models of several inputs.
        images: The images to explain.
        targets: The class to explain, one per image.
        batch_size: Images per call at most.
    """
    batches = zip(images.split(batch_size), targets.split(batch_size), strict=True)
    maps = [attribute(with_gradient(batch), target=labels) for batch, labels in batches]
    return torch.cat(maps).detach()
