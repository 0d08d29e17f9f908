"""Stability: does an explainer say the same when nothing of importance has changed?"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.explain.base import Attribution, Case, Context, Explainer
from cellxai.explain.baselines import Baseline
from cellxai.explain.metrics.agreement import RankCorrelation
from cellxai.explain.metrics.base import ExplainerMetric, Similarity
from cellxai.explain.metrics.noise import Noise
from cellxai.explain.superpixels.base import Superpixels


class MaxSensitivity(ExplainerMetric):
    """Largest relative change of the map under noise on the image that no eye sees.

    max ‖φ(x + δ) − φ(x)‖ / ‖φ(x)‖ over δ drawn uniformly from a cube, Monte Carlo as in the paper's
    equation 5. Superpixels and baseline stay as they were. Methods that sample draw anew for each
    δ, so that their own chance is part of the score.

    Args:
        radius: Half the side of the cube, in grey levels of [0, 1].
        n_samples: How many δ.
        seed: Seed of the δ.
    """

    name = "max-sensitivity"
    family = "stability"
    direction = "lower"
    range = (0.0, torch.inf)
    paper = "Yeh et al. 2019, arXiv:1901.09392"

    def __init__(self, radius: float = 0.02, n_samples: int = 10, seed: int = 0) -> None:
        self.radius = radius
        self.n_samples = n_samples
        self.seed = seed

    def measure(
        self, explainer: Explainer, case: Case, attribution: Attribution
    ) -> Float[Tensor, " b"]:
        """See :meth:`ExplainerMetric.measure`; NaN where a changed image has a map of NaN."""
        noise = Noise(self.radius, self.n_samples, self.seed)
        return noise.ask(explainer, case, attribution).relative_changes().amax(1)


class AverageSensitivity(ExplainerMetric):
    """Mean relative change of the map under noise on the image that no eye sees.

    As :class:`MaxSensitivity`, with the mean over δ instead of the largest: it hardly grows with
    the number of samples. The paper's section 3 has the largest, its code and Quantus both.

    Args:
        radius: Half the side of the cube, in grey levels of [0, 1].
        n_samples: How many δ.
        seed: Seed of the δ.
    """

    name = "average sensitivity"
    family = "stability"
    direction = "lower"
    range = (0.0, torch.inf)
    paper = "Yeh et al. 2019, arXiv:1901.09392"

    def __init__(self, radius: float = 0.02, n_samples: int = 10, seed: int = 0) -> None:
        self.radius = radius
        self.n_samples = n_samples
        self.seed = seed

    def measure(
        self, explainer: Explainer, case: Case, attribution: Attribution
    ) -> Float[Tensor, " b"]:
        """See :meth:`ExplainerMetric.measure`; NaN where a changed image has a map of NaN."""
        noise = Noise(self.radius, self.n_samples, self.seed)
        return noise.ask(explainer, case, attribution).relative_changes().mean(1)


class LocalLipschitz(ExplainerMetric):
    """Local Lipschitz estimate: largest change of the map per change of the image.

    max ‖φ(x) − φ(x + δ)‖ / ‖δ‖, the paper's equation 2, over δ drawn uniformly from a cube.

    Args:
        normalise: Divide by ‖φ(x)‖, so that methods of any unit can be compared.
        radius: Half the side of the cube, in grey levels of [0, 1].
        n_samples: How many δ.
        seed: Seed of the δ.
    """

    name = "local Lipschitz"
    family = "stability"
    direction = "lower"
    range = (0.0, torch.inf)
    paper = "Alvarez-Melis and Jaakkola 2018, arXiv:1806.08049"

    def __init__(
        self, normalise: bool = True, radius: float = 0.02, n_samples: int = 10, seed: int = 0
    ) -> None:
        self.normalise = normalise
        self.radius = radius
        self.n_samples = n_samples
        self.seed = seed

    def measure(
        self, explainer: Explainer, case: Case, attribution: Attribution
    ) -> Float[Tensor, " b"]:
        """See :meth:`ExplainerMetric.measure`; NaN where a changed image has a map of NaN."""
        asked = Noise(self.radius, self.n_samples, self.seed).ask(explainer, case, attribution)
        changes = asked.relative_changes() if self.normalise else asked.changes()
        moved = (asked.noisy - case.images[:, None]).flatten(2).norm(dim=2)
        return (changes / moved).amax(1)


class RelativeInputStability(ExplainerMetric):
    """RIS: largest relative change of the map per relative change of the image.

    max ‖(φ(x) − φ(x′)) / φ(x)‖ / max(‖(x − x′) / x‖, ε), the paper's equation 2, over those noisy
    images x′ that are predicted like x; quotients pixel by pixel, with ε for a divisor of 0. So a
    map with zeros, such as that of a sparse LIME, scores millions wherever one of them changes:
    rank by it, average never. NaN where no x′ is predicted like x.

    Args:
        radius: Half the side of the cube of the noise, in grey levels of [0, 1].
        n_samples: How many x′.
        epsilon: ε.
        seed: Seed of the noise.
    """

    name = "relative input stability"
    family = "stability"
    direction = "lower"
    range = (0.0, torch.inf)
    paper = "Agarwal et al. 2022, arXiv:2203.06877"

    def __init__(
        self, radius: float = 0.02, n_samples: int = 10, epsilon: float = 1e-6, seed: int = 0
    ) -> None:
        if not epsilon > 0:
            raise ValueError(f"epsilon={epsilon}: it divides; pass epsilon>0")
        self.radius = radius
        self.n_samples = n_samples
        self.epsilon = epsilon
        self.seed = seed

    def measure(
        self, explainer: Explainer, case: Case, attribution: Attribution
    ) -> Float[Tensor, " b"]:
        """See :meth:`ExplainerMetric.measure`; NaN where a changed image has a map of NaN."""
        asked = Noise(self.radius, self.n_samples, self.seed).ask(explainer, case, attribution)
        of_map = self._relative(asked.after - asked.before[:, None], asked.before)
        of_image = self._relative(asked.noisy - case.images[:, None], case.images)
        ratios = of_map / of_image.clamp(min=self.epsilon)
        kept = asked.kept_predictions(case)
        largest = ratios.masked_fill(~kept, -torch.inf).amax(1)
        return largest.masked_fill(~kept.any(1), torch.nan)

    def _relative(
        self, change: Float[Tensor, "b n *s"], whole: Float[Tensor, "b *s"]
    ) -> Float[Tensor, "b n"]:
        divisor = whole.masked_fill(whole == 0, self.epsilon)[:, None]
        return (change / divisor).flatten(2).norm(dim=2)


class SeedStability(ExplainerMetric):
    """Mean similarity of the maps of every two of several seeds; 1 for methods without chance.

    The seeds are that of the context and those that follow it.

    Args:
        similarity: How two maps are compared; null for the rank correlation of superpixels.
        n_seeds: How many seeds, the given map's own among them.
    """

    name = "seed stability"
    family = "stability"
    direction = "higher"
    range = (-1.0, 1.0)
    paper = "after Visani et al. 2022, arXiv:2001.11757"

    def __init__(self, similarity: Similarity | None = None, n_seeds: int = 2) -> None:
        if n_seeds < 2:
            raise ValueError(f"n_seeds={n_seeds}: expected at least 2, or nothing is compared")
        self.similarity = similarity
        self.n_seeds = n_seeds

    def measure(
        self, explainer: Explainer, case: Case, attribution: Attribution
    ) -> Float[Tensor, " b"]:
        """See :meth:`ExplainerMetric.measure`."""
        seeds = range(case.context.seed + 1, case.context.seed + self.n_seeds)
        maps = [attribution, *(case.with_seed(seed).ask(explainer) for seed in seeds)]
        similarity = self.similarity or RankCorrelation()
        return mean_similarity(maps, similarity, case.context)


class SegmentationStability(ExplainerMetric):
    """Similarity of the map to that on other superpixels; 1 for methods that know no superpixels.

    Args:
        superpixels: The other segmentation.
        baseline: Fills what is hidden there; null keeps the fill that there is, which is wrong for
            fills that depend on the superpixels.
        similarity: How the maps are compared; null for the rank correlation of pixels.
    """

    name = "segmentation stability"
    family = "stability"
    direction = "higher"
    range = (-1.0, 1.0)
    paper = "after Schallner et al. 2020, arXiv:1906.07481, who compare segmentations for LIME"

    def __init__(
        self,
        superpixels: Superpixels,
        baseline: Baseline | None = None,
        similarity: Similarity | None = None,
    ) -> None:
        self.superpixels = superpixels
        self.baseline = baseline
        self.similarity = similarity

    def measure(
        self, explainer: Explainer, case: Case, attribution: Attribution
    ) -> Float[Tensor, " b"]:
        """See :meth:`ExplainerMetric.measure`."""
        other = replace(case.context, superpixels=self.superpixels.segment(case.images))
        if self.baseline is not None:
            other = replace(other, baseline=self.baseline.fill(case.images, other.superpixels))
        again = case.with_context(other).ask(explainer)
        similarity = self.similarity or RankCorrelation("pixels")
        return similarity.between(attribution, again, case.context)


def mean_similarity(
    attributions: list[Attribution], similarity: Similarity, context: Context
) -> Float[Tensor, " b"]:
    """Mean over all pairs; NaN where one of the maps is degenerate."""
    pairs = [
        similarity.between(later, earlier, context)
        for i, later in enumerate(attributions)
        for earlier in attributions[:i]
    ]
    return torch.stack(pairs).mean(0)
