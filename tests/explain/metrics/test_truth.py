import pytest
import torch
from scipy.stats import spearmanr

from cellxai.explain.base import Attribution, Case, Explainer
from cellxai.explain.metrics.base import ModelSource
from cellxai.explain.metrics.truth import RemovalCorrelation, ShortcutContrast, evidence_in


@pytest.fixture
def parts():
    """Five parts of each image, which overlap; the last image has three."""
    drawn = torch.rand(3, 5, 16, 16, generator=torch.Generator().manual_seed(0)) < 0.1
    drawn[2, 3:] = False
    return drawn


@pytest.fixture
def effects():
    actual = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    actual[2, 3:] = torch.nan
    return actual


def test_evidence_in_the_parts_is_ranked_against_their_effects(
    net, images, targets, context, values, parts, effects
):
    truth = {"parts": parts, "effects": effects}
    metric = RemovalCorrelation()
    actual = metric.score(Case(net, images, targets, context, truth), Attribution(values))
    for i, n in enumerate((5, 5, 3)):
        sums = [values[i][parts[i, j]].sum().item() for j in range(n)]
        expected = spearmanr(sums, effects[i, :n]).statistic
        assert actual[i].item() == pytest.approx(expected, abs=1e-6)
    assert metric.chance(truth).tolist() == [0, 0, 0]


def test_a_map_of_the_effects_themselves_scores_1(net, images, targets, context, effects):
    parts = torch.zeros(3, 5, 16, 16, dtype=torch.bool)
    for part in range(5):
        parts[:, part, part] = True  # one row of pixels each
    values = torch.einsum("bp,bphw->bhw", effects.nan_to_num(), parts.float())
    truth = {"parts": parts, "effects": effects}
    case = Case(net, images, targets, context, truth)
    actual = RemovalCorrelation().score(case, Attribution(values))
    torch.testing.assert_close(actual, torch.ones(3))
    actual = RemovalCorrelation().score(case, Attribution(-values))
    torch.testing.assert_close(actual, -torch.ones(3))


def test_fewer_than_two_parts_cannot_be_ranked(parts, effects):
    assert RemovalCorrelation().applies_to({"parts": parts, "effects": effects})
    assert not RemovalCorrelation().applies_to({"effects": effects})
    assert not RemovalCorrelation().applies_to({"cells": parts[:, 0]})
    effects[1, 1:] = torch.nan
    assert not RemovalCorrelation().applies_to({"parts": parts, "effects": effects})


def test_evidence_outside_every_part_counts_nowhere(values, parts):
    outside = values.clone()
    outside[~parts.any(1)] += 100
    torch.testing.assert_close(evidence_in(outside, parts), evidence_in(values, parts))


def uses_the_cue(images):
    return images[:, 0, 0]


def does_not(images):
    return images[:, 1, 1]


class Cued(Explainer):
    """Marks the cue in the model that uses it, and noise in any other."""

    def attribute(self, model, images, targets, context):
        noise = torch.rand(len(images), 16, 16, generator=torch.Generator().manual_seed(0))
        if model is uses_the_cue:
            noise[:, :4, :4] += 1
        return Attribution(noise)


class Clean(ModelSource):
    def __init__(self, model=does_not):
        self.model = model

    def load(self, device):
        return self.model


def test_a_shortcut_is_found_where_it_is_used_and_there_only(images, targets, context):
    cue = torch.zeros(3, 16, 16, dtype=torch.bool)
    cue[:, :4, :4] = True
    truth = {"cue": cue}

    def contrast(model, other):
        case = Case(model, images, targets, context, truth)
        return ShortcutContrast(Clean(other)).score(Cued(), case, case.ask(Cued()))

    assert (contrast(uses_the_cue, does_not) > 0.25).all()
    assert contrast(does_not, does_not).tolist() == [0, 0, 0]
    there, back = contrast(uses_the_cue, does_not), contrast(does_not, uses_the_cue)
    torch.testing.assert_close(there, -back)
    metric = ShortcutContrast(Clean())
    assert metric.chance(truth).tolist() == [0, 0, 0]
    assert metric.applies_to(truth)
    assert not metric.applies_to({})
    assert not metric.applies_to({"cue": cue & ~cue})
