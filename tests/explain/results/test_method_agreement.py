from itertools import product

import numpy as np
import pytest
import torch

from cellxai.explain.base import Attribution, Context
from cellxai.explain.metrics.agreement import (
    RankCorrelation,
    SignAgreement,
    TopKOverlap,
)
from cellxai.explain.results.method_agreement import SIMILARITIES, TOP_K, compare_methods
from cellxai.explain.results.rows import Answer
from cellxai.explain.superpixels.base import superpixel_means

METHODS = ("lime", "saliency", "random")


def answer(image: str, name: str, seed: int, evidence) -> Answer:
    return Answer(image, name, seed, 0, "ok", "", evidence=evidence)


def test_evidence_by_superpixel_agrees_as_the_maps_do():
    """The same figures as from the whole maps, which are not kept."""
    labels = (torch.arange(12)[:, None] // 3 * 4 + torch.arange(12) // 3)[None]
    generator = torch.Generator().manual_seed(0)
    maps = {name: torch.randn((1, 12, 12), generator=generator) for name in METHODS}
    context = Context(labels, torch.zeros(1, 3, 12, 12))
    answers = [
        answer("a", name, 0, superpixel_means(values[0], labels[0]).double().numpy())
        for name, values in maps.items()
    ]
    attributions = {name: Attribution(values) for name, values in maps.items()}
    expected = (RankCorrelation(), TopKOverlap(TOP_K), SignAgreement())
    for actual, similarity in zip(compare_methods(answers, METHODS), expected, strict=True):
        assert actual.similarity == similarity.name
        for (i, first), (j, second) in product(enumerate(METHODS), repeat=2):
            alike = similarity.between(attributions[first], attributions[second], context).item()
            assert actual.by_image[0, i, j] == pytest.approx(alike, abs=1e-6)


def test_seeds_meet_their_own_and_are_averaged_within_an_image():
    rng = np.random.default_rng(0)
    same, other = rng.normal(size=9), rng.normal(size=9)
    answers = [
        answer("a", "lime", 0, same), answer("a", "saliency", 0, same),
        answer("a", "lime", 1, other), answer("a", "saliency", 1, -other),
        answer("b", "lime", 0, same), answer("b", "saliency", 0, same),
    ]  # fmt: skip
    rank = compare_methods(answers, METHODS[:2])[0]
    assert rank.by_image[:, 0, 1] == pytest.approx([0, 1])
    pair = rank.pairs()["lime", "saliency"]
    assert (pair.mean, pair.n) == (pytest.approx(0.5), 2)


def test_a_map_that_ranks_nothing_agrees_with_nobody_and_is_not_counted():
    rng = np.random.default_rng(0)
    answers = [
        answer(image, name, 0, None if (image, name) == ("a", "lime") else rng.normal(size=9))
        for image in "ab"
        for name in METHODS
    ]
    for actual in compare_methods(answers, METHODS):
        counts = {pair: score.n for pair, score in actual.pairs().items()}
        assert counts["lime", "random"] == counts["lime", "saliency"] == 1
        assert counts["saliency", "random"] == 2


def test_no_answer_is_an_empty_matrix():
    assert [agreement.by_image.shape for agreement in compare_methods([], METHODS)] == [
        (0, 3, 3)
    ] * len(SIMILARITIES)
