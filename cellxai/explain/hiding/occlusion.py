"""Occlusion by a window, and ablation of superpixels: hides one part at a time, by Captum."""

import torch
from captum import attr
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Explainer, Model, attribution_of_planes
from cellxai.explain.by_plane import SuperpixelExplainer, doubt_equal_planes
from cellxai.explain.hiding.by_superpixel import attribute_by_superpixel


class Occlusion(Explainer):
    """Fall of the target score when a window shows the baseline (arXiv:1311.2901).

    A pixel gets the mean over the windows that cover it.

    Args:
        window_px: Side of the window.
        stride_px: Step between windows; at most ``window_px``, or pixels would be left out.
        by_plane: Whether the window goes over each plane of the image by itself.
    """

    def __init__(self, window_px: int = 16, stride_px: int = 8, by_plane: bool = False) -> None:
        if not 1 <= stride_px <= window_px:
            raise ValueError(
                f"stride_px={stride_px} with window_px={window_px} leaves pixels out; "
                "pass 1<=stride_px<=window_px"
            )
        self.window_px = window_px
        self.stride_px = stride_px
        self.by_plane = by_plane

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`.

        Raises:
            ValueError: If the window is larger than the images.
        """
        channels, *shape = images.shape[1:]
        if self.window_px > min(shape):
            raise ValueError(
                f"window_px={self.window_px} is larger than the {shape[0]}×{shape[1]} images; "
                f"pass window_px<={min(shape)}"
            )
        depth = 1 if self.by_plane else channels
        method = attr.Occlusion(model)
        singles = zip(images.split(1), context.baseline.split(1), targets.split(1), strict=True)
        with torch.no_grad():
            maps = [
                method.attribute(
                    image,
                    sliding_window_shapes=(depth, self.window_px, self.window_px),
                    strides=(depth, self.stride_px, self.stride_px),
                    baselines=baseline,
                    target=target,
                    perturbations_per_eval=context.batch_size,
                )
                for image, baseline, target in singles
            ]
        if self.by_plane:
            return doubt_equal_planes(attribution_of_planes(torch.cat(maps)), images)
        # Each channel holds the fall of the whole window, so that their mean is that fall once.
        return Attribution(torch.cat(maps).mean(1))


class FeatureAblation(SuperpixelExplainer):
    """Fall of the target score when one superpixel shows the baseline, all others the image.

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
        return attribute_by_superpixel(
            attr.FeatureAblation(model).attribute, images, targets, context
        )
