"""Sanity: does the map change when what the model has learned is taken from it?

A method that draws the same map for a model with random weights does not explain the model. Lower
similarity is better, but no proof: noise passes every one of these tests.
"""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cellxai.explain.base import Attribution, Case, Explainer
from cellxai.explain.metrics.agreement import RankCorrelation
from cellxai.explain.metrics.base import ExplainerMetric, ModelSource, Similarity, is_degenerate
from cellxai.explain.score import ModelWrapper
from cellxai.explain.seeding import generator_of

Order = Literal["cascading", "independent"]


class ParameterRandomisation(ExplainerMetric):
    """MPRT: mean similarity of the map to those of ever more randomised models.

    The weights of a layer are replaced by normal numbers of their own mean and spread, tensor by
    tensor; a running mean or variance is not a weight, and stays. A stage whose map is degenerate
    counts as similarity 0: it resembles nothing. NaN for a model that is not a module.

    Args:
        order: ``cascading`` from the output down, each stage on top of those before, or
            ``independent``, one stage at a time.
        n_stages: Layers are gone through in so many groups; no more than there are layers.
        similarity: How maps are compared; null for the rank correlation of superpixels.
        seed: Seed of the random weights.
    """

    name = "parameter randomisation"
    family = "sanity"
    direction = "lower"
    range = (-1.0, 1.0)
    paper = "Adebayo et al. 2018, arXiv:1810.03292"

    def __init__(
        self,
        order: Order = "cascading",
        n_stages: int = 6,
        similarity: Similarity | None = None,
        seed: int = 0,
    ) -> None:
        if n_stages < 1:
            raise ValueError(f"n_stages={n_stages}: expected at least 1")
        self.order: Order = order
        self.n_stages = n_stages
        self.similarity = similarity
        self.seed = seed

    def measure(
        self, explainer: Explainer, case: Case, attribution: Attribution
    ) -> Float[Tensor, " b"]:
        """See :meth:`ExplainerMetric.measure`."""
        if not isinstance(case.model, nn.Module):
            return torch.full_like(attribution.values[:, 0, 0], torch.nan)
        similarity = self.similarity or RankCorrelation()
        stages = random_copies(case.model, self.order, self.n_stages, self.seed, case.images[:1])
        similarities = [
            similarity.between(attribution, case.with_model(stage).ask(explainer), case.context)
            for stage in stages
        ]
        return torch.stack(similarities).nan_to_num(0).mean(0)


class EfficientRandomisation(ExplainerMetric):
    """Efficient MPRT: relative rise of the map's complexity when the whole model is random.

    (ξ(random) − ξ(trained)) / ξ(trained), where ξ is the entropy of the histogram of the map's
    values: an explanation of noise should be noise. It takes only one further explanation. NaN for
    a model that is not a module, and where ξ(trained) is 0.

    Args:
        n_bins: Bins of the histogram.
        seed: Seed of the random weights.
    """

    name = "efficient randomisation"
    family = "sanity"
    direction = "higher"
    range = (-1.0, torch.inf)
    paper = "Hedström et al. 2024, arXiv:2405.02383"

    def __init__(self, n_bins: int = 100, seed: int = 0) -> None:
        self.n_bins = n_bins
        self.seed = seed

    def measure(
        self, explainer: Explainer, case: Case, attribution: Attribution
    ) -> Float[Tensor, " b"]:
        """See :meth:`ExplainerMetric.measure`."""
        if not isinstance(case.model, nn.Module):
            return torch.full_like(attribution.values[:, 0, 0], torch.nan)
        (random,) = random_copies(case.model, "cascading", 1, self.seed)
        after = case.with_model(random).ask(explainer).values.detach()
        before = histogram_entropy(attribution.values.detach(), self.n_bins)
        rise = (histogram_entropy(after, self.n_bins) - before) / before
        return rise.masked_fill(is_degenerate(after) | (before == 0), torch.nan)


class LabelRandomisation(ExplainerMetric):
    """Similarity of the map to that of a model which was trained on random labels.

    Args:
        other: Where that model is; it has the same classes.
        similarity: How maps are compared; null for the rank correlation of superpixels.
    """

    name = "label randomisation"
    family = "sanity"
    direction = "lower"
    range = (-1.0, 1.0)
    paper = "Adebayo et al. 2018, arXiv:1810.03292, section 4.2"

    def __init__(self, other: ModelSource, similarity: Similarity | None = None) -> None:
        self.other = other
        self.similarity = similarity

    def measure(
        self, explainer: Explainer, case: Case, attribution: Attribution
    ) -> Float[Tensor, " b"]:
        """See :meth:`ExplainerMetric.measure`; NaN where the other model's map is degenerate."""
        other = self.other.beside(case.model, case.images.device)
        again = case.with_model(other).ask(explainer)
        similarity = self.similarity or RankCorrelation()
        return similarity.between(attribution, again, case.context)


class RandomLogit(ExplainerMetric):
    """Similarity of the map to that of another class, drawn at random.

    A map that stays the same whichever class is asked for explains none. The paper compares by the
    structural similarity of pictures. NaN where the model has one score alone.

    Args:
        similarity: How maps are compared; null for the rank correlation of superpixels.
        seed: Seed of the other class.
    """

    name = "random logit"
    family = "sanity"
    direction = "lower"
    range = (-1.0, 1.0)
    paper = "Sixt et al. 2020, arXiv:1912.09818"

    def __init__(self, similarity: Similarity | None = None, seed: int = 0) -> None:
        self.similarity = similarity
        self.seed = seed

    def measure(
        self, explainer: Explainer, case: Case, attribution: Attribution
    ) -> Float[Tensor, " b"]:
        """See :meth:`ExplainerMetric.measure`; NaN where the other map is degenerate."""
        with torch.no_grad():
            n_scores = case.model(case.images[:1].clone()).shape[1]
        if n_scores < 2:
            return torch.full_like(attribution.values[:, 0, 0], torch.nan)
        steps = [
            int(torch.randint(1, n_scores, (), generator=generator_of(image, self.seed)))
            for image in case.images
        ]
        others = (case.targets + case.targets.new_tensor(steps)) % n_scores
        again = replace(case, targets=others).ask(explainer)
        similarity = self.similarity or RankCorrelation()
        return similarity.between(attribution, again, case.context)


def random_copies(
    model: nn.Module,
    order: Order,
    n_stages: int,
    seed: int,
    image: Float[Tensor, "1 c h w"] | None = None,
) -> Iterator[nn.Module]:
    """Copies of the model with random weights in ever more layers, or each time in other layers.

    The model itself is not changed. Each copy serves until the next one is asked for.

    Args:
        model: With parameters in at least one layer.
        order: ``cascading`` randomises from the last layer on, in the order of registration.
        n_stages: Groups of layers, as equal as can be.
        seed: Seed of the weights: a layer gets the same ones in any order and number of stages.
        image: An image that shows which layers a wrapper, such as a density of features, uses at
            all: others are left as they are. None for all layers.
    """
    in_use = {*model.parameters()} if image is None else parameters_in_use(model, image)
    layers = [i for i, layer in enumerate(model.modules()) if in_use & {*own_parameters(layer)}]
    generator = torch.Generator().manual_seed(seed)
    seeds = torch.randint(2**62, (len(layers),), generator=generator).tolist()
    copied = copy.deepcopy(model)
    for group in torch.arange(len(layers)).tensor_split(min(n_stages, len(layers))):
        if order == "independent":
            copied = copy.deepcopy(model)
        modules = list(copied.modules())
        for position in group.tolist():
            randomise(modules[layers[~position]], seeds[position])
        yield copied


def parameters_in_use(model: nn.Module, image: Float[Tensor, "1 c h w"]) -> set[nn.Parameter]:
    """Parameters that the scores depend on: a wrapper may stop at an early layer."""
    own = list(model.parameters())
    if not isinstance(model, ModelWrapper):
        return {*own}
    copied = copy.deepcopy(model).requires_grad_()
    with torch.enable_grad():
        total = copied(image).sum()
    gradients = torch.autograd.grad(total, list(copied.parameters()), allow_unused=True)
    return {mine for mine, gradient in zip(own, gradients, strict=True) if gradient is not None}


@torch.no_grad()
def randomise(layer: nn.Module, seed: int) -> None:
    """Replaces a layer's own parameters by normal numbers of their mean and standard deviation."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in own_parameters(layer):
        # A bias of one number has no spread; it gets that of a fresh layer, about 0.
        spread = parameter.std() if parameter.numel() > 1 else parameter.abs().mean()
        noise = torch.randn(parameter.shape, generator=generator).to(parameter)
        parameter.copy_(parameter.mean() + spread * noise)


def own_parameters(layer: nn.Module) -> list[nn.Parameter]:
    """Parameters of the layer itself, without those of layers inside it."""
    return list(layer.parameters(recurse=False))


def histogram_entropy(values: Float[Tensor, "b h w"], n_bins: int) -> Float[Tensor, " b"]:
    """Entropy in nats of the histogram of each map's values between its own extremes."""
    flat = values.flatten(1).double()
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    bins = ((flat - low) / (high - low) * n_bins).nan_to_num(0).long().clamp(0, n_bins - 1)
    counts = torch.zeros(len(flat), n_bins, dtype=flat.dtype, device=flat.device)
    counts.scatter_add_(1, bins, torch.ones_like(flat))
    return torch.special.entr(counts / flat.shape[1]).sum(1).to(values)
