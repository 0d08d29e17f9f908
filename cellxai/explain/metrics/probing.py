"""Asking a model about changed images: in batches across images, and each image only once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cellxai.explain.base import Attribution, Case, Context, Model
from cellxai.explain.baselines import Baseline
from cellxai.explain.perturbation import in_batches
from cellxai.explain.score import Logit, Score, Scored, decisions, followed_by_curves
from cellxai.explain.seeding import image_seed
from cellxai.explain.superpixels.base import superpixel_means

Granularity = Literal["superpixels", "pixels"]
"""What is hidden or shown together."""

Variants = Callable[[slice], Float[Tensor, "m c h w"]]
"""Makes the changed images number i…j of all that are asked about, when they are needed."""

HASHED_AS = {2: torch.int16, 4: torch.int32, 8: torch.int64}  # by bytes of a pixel


class Remembering:
    """A model that answers an image which it has seen from memory.

    Metrics ask about the same images again and again: parts hidden alone, random subsets, the steps
    of a curve for a second metric or for a method of the same order. Wrap the model once per
    explained image, and give it to every metric of every method; answers may differ in the last
    bits, as networks round differently in batches of another size.

    Args:
        model: Images to scores; asked without gradients.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.forwards = 0
        self._known: dict[int, Tensor] = {}
        self._factors = torch.empty(0, dtype=torch.int64)

    @torch.no_grad()
    def __call__(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Scores of the images, those seen before from memory."""
        keys = self._keys(images)
        new = {key: row for row, key in enumerate(keys) if key not in self._known}
        if new:
            rows = list(new.values())
            answers = self.model(images if len(rows) == len(images) else images[rows])
            self.forwards += len(rows)
            self._known |= dict(zip(new, answers, strict=True))
        return torch.stack([self._known[key] for key in keys])

    def _keys(self, images: Float[Tensor, "b c h w"]) -> list[int]:
        """64 bits of each image: a multilinear hash (Carter and Wegman 1979), on the device."""
        words = images.contiguous().flatten(1).view(HASHED_AS[images.element_size()])
        if len(self._factors) != words.shape[1] or self._factors.device != images.device:
            drawn = torch.Generator().manual_seed(0)
            factors = torch.randint(-(2**62), 2**62, words.shape[1:], generator=drawn)
            self._factors = factors.to(images.device)
        return (words * self._factors).sum(1).tolist()


def model_for_curves(model: Model) -> Model:
    """What curves follow: logits as probabilities, another score as it is."""
    score = explained_score(model)

    def followed(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        return followed_by_curves(score, model(images))

    return followed


def explained_score(model: Model) -> Score:
    """What a model's answers are: logits, unless it says otherwise."""
    asked = model.model if isinstance(model, Remembering) else model
    return asked.score if isinstance(asked, Scored) else Logit()


@torch.no_grad()
def decisions_of_variants(
    model: Model, targets: Int[Tensor, " n"], variants: Variants, batch_size: int
) -> Int[Tensor, " n"]:
    """What the model predicts of n changed images, see :func:`cellxai.explain.score.decisions`."""
    score = explained_score(model)

    def predicted(rows: slice) -> Int[Tensor, " m"]:
        return decisions(score, model(variants(rows)), targets[rows])

    return torch.cat(list(in_batches(predicted, len(targets), batch_size)))


def decisions_of_images(case: Case) -> Int[Tensor, " b"]:
    """What the model predicts of the images of a case."""
    size = case.context.batch_size
    return decisions_of_variants(case.model, case.targets, lambda rows: case.images[rows], size)


def fill_for(baseline: Baseline | None, case: Case) -> Float[Tensor, "b c h w"]:
    """What hidden parts show: a metric's own baseline, or that of the explainers."""
    if baseline is None:
        return case.context.baseline
    return baseline.fill(case.images, case.context.superpixels)


@torch.no_grad()
def scores_of_variants(
    model: Model, targets: Int[Tensor, " n"], variants: Variants, batch_size: int
) -> Float[Tensor, " n"]:
    """The target's score of n changed images, in float64."""

    def scores(rows: slice) -> Float[Tensor, " m"]:
        own = targets[rows, None].long()
        return model(variants(rows)).gather(1, own)[:, 0].double()

    return torch.cat(list(in_batches(scores, len(targets), batch_size)))


def subset_effects(
    case: Case,
    fill: Float[Tensor, "b c h w"],
    labels: Int64[Tensor, "b h w"],
    hidden: Bool[Tensor, "b n s"],
) -> Float[Tensor, "b n"]:
    """By how much the target's score falls when each of n subsets of an image's parts is hidden.

    Args:
        case: The model, and the images that are changed.
        fill: What stands where something is hidden.
        labels: Parts 0…s−1 of each image.
        hidden: Which parts each subset hides.
    """
    images, targets, batch_size = case.images, case.targets, case.context.batch_size
    b, n, _ = hidden.shape
    owners = torch.arange(b, device=images.device).repeat_interleave(n)
    flat, subsets = labels.flatten(1), hidden.flatten(0, 1)

    def variants(rows: slice) -> Float[Tensor, "m c h w"]:
        own = owners[rows]
        replaced = subsets[rows].gather(1, flat[own]).view(-1, 1, *labels.shape[1:])
        return torch.where(replaced, fill[own], images[own])

    after = scores_of_variants(case.model, targets[owners], variants, batch_size).view(b, n)
    before = scores_of_variants(case.model, targets, lambda rows: images[rows], batch_size)
    return before[:, None] - after


def parts_of(context: Context, granularity: Granularity) -> Int64[Tensor, "b h w"]:
    """Labels 0…s−1 of the parts that are hidden: the superpixels, or every pixel by itself."""
    if granularity == "superpixels":
        return context.superpixels
    b, h, w = context.superpixels.shape
    pixels = torch.arange(h * w, device=context.superpixels.device)
    return pixels.view(1, h, w).expand(b, h, w)


def part_evidence(attribution: Attribution, labels: Int64[Tensor, "b h w"]) -> Float[Tensor, "b s"]:
    """Evidence of each part in float64: the sum of its pixels; NaN where an image has fewer parts.

    A method that answers with one coefficient per superpixel has painted it on every pixel; there
    the coefficient itself is the evidence, or large superpixels would count twice for their size.
    """
    coefficients = attribution.superpixel_values
    if coefficients is not None and coefficients.shape[1] == int(labels.max()) + 1:
        return coefficients.double()
    maps = attribution.values.double()
    sums = [
        superpixel_means(values, own) * own.flatten().bincount()
        for values, own in zip(maps, labels, strict=True)
    ]
    return pad_sequence(sums, batch_first=True, padding_value=torch.nan)


def part_means(
    values: Float[Tensor, "b h w"], labels: Int64[Tensor, "b h w"]
) -> Float[Tensor, "b s"]:
    """Mean of each part; NaN where an image has fewer parts."""
    means = [superpixel_means(*pair) for pair in zip(values, labels, strict=True)]
    return pad_sequence(means, batch_first=True, padding_value=torch.nan)


@dataclass(frozen=True)
class RandomSubsets:
    """What several metrics ask of a model: to go without random subsets of an image's parts.

    Args:
        share: Share of the parts that each subset hides.
        n: How many subsets.
        granularity: Whether parts are ``superpixels`` or ``pixels``.
        baseline: What hidden parts show; None for that of the explainers.
        seed: Seed of the subsets.
    """

    share: float
    n: int
    granularity: Granularity
    baseline: Baseline | None
    seed: int

    def compare(
        self, case: Case, attribution: Attribution
    ) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n"]]:
        """Summed evidence of each subset, and its effect: the fall of the score without it."""
        labels = parts_of(case.context, self.granularity)
        hidden = random_subsets(case.images, labels, self.share, self.n, self.seed)
        effects = subset_effects(case, fill_for(self.baseline, case), labels, hidden)
        return subset_evidence(part_evidence(attribution, labels), hidden), effects


def check_share(share: float) -> None:
    """Refuses a share of the parts that hides nothing or everything.

    Raises:
        ValueError: If it does.
    """
    if not 0 < share < 1:
        raise ValueError(f"share={share}: expected a share of the parts between 0 and 1")


def random_subsets(
    images: Float[Tensor, "b c h w"],
    labels: Int64[Tensor, "b h w"],
    share: float,
    n: int,
    seed: int,
) -> Bool[Tensor, "b n s"]:
    """Subsets of each image's parts, each of the same share of them, uniformly at random.

    They depend on the image, its parts and the seed alone: every method is asked the same, and each
    answer is computed only once.
    """
    counts = labels.flatten(1).amax(1).tolist()
    return torch.stack(
        [
            _subsets(image, int(last) + 1, int(max(counts)) + 1, share, n, seed)
            for image, last in zip(images, counts, strict=True)
        ]
    )


def _subsets(
    image: Float[Tensor, "c h w"], s: int, width: int, share: float, n: int, seed: int
) -> Bool[Tensor, "n width"]:
    hidden = torch.zeros(n, width, dtype=torch.bool)
    hidden[:, :s] = _drawn(image_seed(image, seed), s, share, n)
    return hidden.to(image.device)


# Kept for a few images: every metric and every method asks about the same subsets.
@lru_cache(maxsize=8)
def _drawn(entropy: int, s: int, share: float, n: int) -> Bool[Tensor, "n s"]:
    # In float64, where no two numbers are equal, so that each subset gets its size.
    generator = torch.Generator().manual_seed(entropy)
    draw = torch.rand(n, s, dtype=torch.float64, generator=generator)
    size = min(max(round(share * s), 1), max(s - 1, 1))
    return draw <= draw.kthvalue(size, dim=1, keepdim=True).values


def subset_evidence(
    evidence: Float[Tensor, "b s"], hidden: Bool[Tensor, "b n s"]
) -> Float[Tensor, "b n"]:
    """Sum of the evidence of the parts that each subset hides."""
    pairs = zip(hidden, evidence.nan_to_num(), strict=True)  # one by one: pixels are many
    return torch.stack([own.double() @ values for own, values in pairs])


def single_parts(labels: Int64[Tensor, "b h w"]) -> Bool[Tensor, "b s s"]:
    """Subsets that hide one part each; those beyond an image's own number of parts hide nothing."""
    s = int(labels.max()) + 1
    return torch.eye(s, dtype=torch.bool, device=labels.device).expand(len(labels), s, s)


def missing_parts(labels: Int64[Tensor, "b h w"]) -> Bool[Tensor, "b s"]:
    """Which columns stand for parts that an image does not have, but the largest image has."""
    last = labels.flatten(1).amax(1, keepdim=True)
    return torch.arange(int(last.max()) + 1, device=labels.device) > last
