"""Gradients averaged over noise, by Captum: SmoothGrad and GradientSHAP."""

from typing import Literal

import torch
from captum import attr
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.backward.deeplift import noisy_baselines
from cellxai.explain.backward.gradients import with_gradient
from cellxai.explain.base import Attribution, Context, Explainer, Model
from cellxai.explain.seeding import seeded

Statistic = Literal["mean", "square", "variance"]
NOISE_TUNNELS = {"mean": "smoothgrad", "square": "smoothgrad_sq", "variance": "vargrad"}


class SmoothGrad(Explainer):
    """Saliency averaged over noisy copies of the image (arXiv:1706.03825), by Captum's NoiseTunnel.

    Never negative.

    Args:
        n_samples: Noisy copies.
        noise: Standard deviation of the noise, in the units of the images; the paper advises a
            tenth to a fifth of their range.
        statistic: ``mean`` of the saliency; of its ``square`` (arXiv:1806.10758), or its
            ``variance`` (arXiv:1810.03307).
    """

    def __init__(
        self, n_samples: int = 25, noise: float = 0.1, statistic: Statistic = "mean"
    ) -> None:
        if n_samples < 1:
            raise ValueError(f"n_samples={n_samples} averages nothing; pass n_samples>=1")
        self.n_samples = n_samples
        self.noise = noise
        self.statistic: Statistic = statistic

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        tunnel = attr.NoiseTunnel(attr.Saliency(model))
        singles = zip(images.split(1), targets.split(1), strict=True)
        maps = [self._map(tunnel, image, target, context) for image, target in singles]
        return Attribution(torch.cat(maps).detach().sum(1))

    def _map(
        self,
        tunnel: attr.NoiseTunnel,
        image: Float[Tensor, "1 c h w"],
        target: Int[Tensor, "1"],
        context: Context,
    ) -> Float[Tensor, "1 c h w"]:
        with seeded(image[0], context.seed):
            attribution = tunnel.attribute(
                with_gradient(image),
                nt_type=NOISE_TUNNELS[self.statistic],
                nt_samples=self.n_samples,
                nt_samples_batch_size=context.batch_size,
                stdevs=self.noise,
                target=target,
            )
        assert isinstance(attribution, Tensor)  # a tuple only for models of several inputs
        return attribution


class GradientShap(Explainer):
    """Gradients at random points between noisy images and noisy baselines, by Captum.

    Expected gradients (arXiv:1906.10670). Signed; the map sums in expectation to
    score(image) − score(baseline), and what few samples miss is its completeness gap.

    Args:
        n_samples: Random points, each with a baseline and noise of its own.
        noise: Standard deviation, in the units of the images, of the noise on image and baseline.
    """

    def __init__(self, n_samples: int = 50, noise: float = 0.05) -> None:
        if n_samples < 1:
            raise ValueError(f"n_samples={n_samples} averages nothing; pass n_samples>=1")
        self.n_samples = n_samples
        self.noise = noise

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        method = attr.GradientShap(model)
        baselines = noisy_baselines(images, context, self.n_samples, self.noise)
        singles = zip(
            images.split(1), targets.split(1), baselines.split(self.n_samples), strict=True
        )
        parts = [self._map_and_gap(method, *single, context) for single in singles]
        values, gaps = (torch.cat(part).to(images.dtype) for part in zip(*parts, strict=True))
        return Attribution(values.sum(1), completeness_gap=gaps)

    def _map_and_gap(
        self,
        method: attr.GradientShap,
        image: Float[Tensor, "1 c h w"],
        target: Int[Tensor, "1"],
        baselines: Float[Tensor, "n c h w"],
        context: Context,
    ) -> tuple[Float[Tensor, "1 c h w"], Float[Tensor, "1"]]:
        """Captum expands all samples at once: a batch of them at a time keeps the memory bound."""
        total, gap = torch.zeros_like(image), 0.0
        with seeded(image[0], context.seed):
            for batch in baselines.split(context.batch_size):
                part, delta = method.attribute(
                    with_gradient(image),
                    batch,
                    n_samples=len(batch),
                    stdevs=self.noise,
                    target=target,
                    return_convergence_delta=True,
                )
                total = total + part.detach() * len(batch) / self.n_samples
                gap += delta.detach().sum() / self.n_samples
        return total, torch.as_tensor(gap).reshape(1)
