"""Gradients averaged over noise: SmoothGrad, by Captum, and GradientSHAP."""

from collections.abc import Sequence
from typing import Literal

import torch
from captum import attr
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.backward.gradients import OF_SENSITIVITY, TOLERATED_GAP, with_gradient
from cellxai.explain.base import Attribution, Context, Explainer, Model
from cellxai.explain.completeness import change_of_score, judge_completeness
from cellxai.explain.cost import frozen
from cellxai.explain.seeding import generator_of, seeded

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

    meaning = OF_SENSITIVITY

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

        def model_of_noisy(noisy: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
            return model(noisy.to(images.dtype))  # Captum's noise is in float32

        exact = images.dtype in (torch.float32, torch.float64)
        tunnel = attr.NoiseTunnel(attr.Saliency(model if exact else model_of_noisy))
        singles = zip(images.split(1), targets.split(1), strict=True)
        maps = [self._map(tunnel, image, target, context) for image, target in singles]
        by_plane = torch.cat(maps).detach()
        return Attribution(by_plane.sum(1).to(images.dtype), plane_values=by_plane.to(images.dtype))

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
    """Gradients at random points between noisy images and noisy baselines.

    Expected gradients (arXiv:1906.10670). Signed; the map sums in expectation to
    score(image) − score(baseline), and is *degraded* where it misses more than 5 % of the change:
    more samples or less noise are needed then. Captum's method with the line from baseline to image
    cut into as many equal pieces as there are samples, and a point in each: the same mean, nearer
    to it. What is drawn does not depend on the batch size.

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
        singles = zip(images, context.baseline, targets, strict=True)
        with frozen(model):
            totals = torch.stack([self._total(model, *single, context) for single in singles])
            change = change_of_score(model, images, context.baseline, targets, context.batch_size)
        attribution = Attribution(
            totals.sum(1) / self.n_samples, plane_values=totals / self.n_samples
        )
        return judge_completeness(attribution, change, TOLERATED_GAP)

    def _total(
        self,
        model: Model,
        image: Float[Tensor, "c h w"],
        baseline: Float[Tensor, "c h w"],
        target: Int[Tensor, ""],
        context: Context,
    ) -> Float[Tensor, "c h w"]:
        """Sum over the samples, a batch at a time: memory grows with neither samples nor images."""
        generator = generator_of(image, context.seed)
        total = torch.zeros_like(image)
        for numbers in torch.arange(self.n_samples).split(context.batch_size):
            pieces = [(int(i), self.n_samples) for i in numbers]
            starts, directions, positions = noisy_lines(
                image, baseline, pieces, self.noise, generator
            )
            points = with_gradient(starts + positions * directions)
            with torch.enable_grad():
                of_target = model(points.clone())[:, target].sum()
            (gradients,) = torch.autograd.grad(of_target, points)
            total += (gradients * directions).sum(0)
        return total


def noisy_lines(
    image: Float[Tensor, "c h w"],
    baseline: Float[Tensor, "c h w"],
    pieces: Sequence[tuple[int, int]],
    noise: float,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"], Float[Tensor, "n 1 1 1"]]:
    """Noisy baselines, the way from each to a noisy image, and a random point in a piece of it.

    Args:
        image: Where the ways end, but for the noise.
        baseline: Where they start, but for the noise.
        pieces: Number of each piece, from 0, and how many there are.
        noise: Standard deviation of the noise.
        generator: What is drawn from, in the order of the pieces.
    """
    starts = image.new_empty((len(pieces), *image.shape))
    directions, positions = torch.empty_like(starts), image.new_empty((len(pieces), 1, 1, 1))
    for i, (index, n_pieces) in enumerate(pieces):
        start, end = (
            x + noise * torch.randn(x.shape, generator=generator).to(x) for x in (baseline, image)
        )
        starts[i], directions[i] = start, end - start
        positions[i] = ((index + torch.rand(1, generator=generator)) / n_pieces).to(image)
    return starts, directions, positions
