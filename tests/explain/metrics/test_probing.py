import pytest
import torch

from cellxai.explain.base import Attribution, Case, Context
from cellxai.explain.metrics.faithfulness import DeletionAUC, InsertionAUC, Irof
from cellxai.explain.metrics.faithfulness_correlation import (
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    SinglePartEffect,
)
from cellxai.explain.metrics.infidelity import Infidelity
from cellxai.explain.metrics.probing import (
    Remembering,
    model_for_curves,
    part_evidence,
    random_subsets,
    subset_effects,
)
from cellxai.explain.score import LogDensity, Logit, LogOdds, Probability, Scored
from cellxai.explain.superpixels.methods import Grid


def test_a_remembering_model_gives_the_same_answers(net, images):
    remembering = Remembering(net)
    assert torch.equal(remembering(images), net(images))
    mixed = torch.cat([images[:1], 1 - images, images[2:]])
    torch.testing.assert_close(remembering(mixed), net(mixed))
    assert remembering.forwards == 6


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_images_that_differ_by_one_bit_are_not_the_same(images, dtype):
    asked = []

    def model(batch):
        asked.append(len(batch))
        return batch.flatten(1)[:, :2]

    remembering = Remembering(model)
    changed = images.to(dtype)
    remembering(changed)
    changed = changed.clone()
    changed[0, 0, 0, 0] = changed[0, 0, 0, 0].nextafter(torch.tensor(2.0, dtype=dtype))
    remembering(changed)
    assert asked == [3, 1]


def test_the_same_image_twice_in_a_batch_is_asked_once(net, images):
    remembering = Remembering(net)
    answers = remembering(images[[0, 1, 0]])
    assert torch.equal(answers[0], answers[2])
    assert remembering.forwards == 2


def test_metrics_that_ask_the_same_share_their_forwards(net, images, targets, context, values):
    def forwards(metrics, attributions):
        remembering = Remembering(net)
        case = Case(remembering, images, targets, context)
        for attribution in attributions:
            for metric in metrics:
                metric.score(case, attribution)
        return remembering.forwards

    first, second = Attribution(values), Attribution(values.flip(1))
    subsets = FaithfulnessCorrelation(n_subsets=20), Infidelity(n_subsets=20)
    assert forwards(subsets, [first, second]) == forwards(subsets[:1], [first])
    alone = FaithfulnessEstimate(), SinglePartEffect()
    assert forwards(alone, [first, second]) == 3 * (4 + 1)
    assert forwards([DeletionAUC(), Irof()], [first]) == forwards([DeletionAUC()], [first])
    # The two curves share their ends, of which the grey one is the same for all images.
    assert forwards([DeletionAUC(), InsertionAUC()], [first]) == 3 * (1 + 2 * 3) + 1


def test_effects_of_subsets_equal_a_slow_loop(net, images, targets):
    labels = Grid(size_px=6).segment(images)
    labels[1] = Grid(size_px=9).segment(images)[1]  # four parts where the others have nine
    fill = torch.rand(images.shape, generator=torch.Generator().manual_seed(2))
    hidden = random_subsets(images, labels, 0.3, 5, seed=0)
    case = Case(net, images, targets, Context(labels, fill, batch_size=4))
    actual = subset_effects(case, fill, labels, hidden)
    for i, target in enumerate(targets.tolist()):
        for j in range(5):
            changed = images[i].clone()
            for part in hidden[i, j].nonzero()[:, 0].tolist():
                changed[:, labels[i] == part] = fill[i, :, labels[i] == part]
            expected = (net(images[i : i + 1]) - net(changed[None]))[0, target]
            torch.testing.assert_close(actual[i, j], expected.double().detach())


def test_subsets_have_their_size_and_belong_to_the_image(images):
    labels = Grid(size_px=4).segment(images)
    labels[1] = Grid(size_px=8).segment(images)[1]
    hidden = random_subsets(images, labels, 0.25, 50, seed=0)
    assert (hidden.sum(2) == torch.tensor([4, 1, 4])[:, None]).all()
    assert not hidden[1, :, 4:].any()
    alone = random_subsets(images[1:2], labels[1:2], 0.25, 50, seed=0)
    assert torch.equal(alone[0], hidden[1, :, :4])
    assert (hidden != random_subsets(images, labels, 0.25, 50, seed=1)).any()


def test_some_part_is_hidden_and_some_part_stays(images):
    labels = Grid(size_px=8).segment(images)
    for share in (0.01, 0.99):
        hidden = random_subsets(images, labels, share, 10, seed=0).sum(2)
        assert ((hidden > 0) & (hidden < 4)).all()


def test_the_evidence_of_a_part_is_its_sum_or_its_coefficient(values, quarters):
    labels = quarters.expand(3, -1, -1)
    sums = torch.stack([values[:, quarters == part].double().sum(1) for part in range(4)], 1)
    torch.testing.assert_close(part_evidence(Attribution(values), labels), sums)
    coefficients = torch.randn(3, 4)
    painted = Attribution(coefficients[:, quarters], superpixel_values=coefficients)
    assert torch.equal(part_evidence(painted, labels), coefficients.double())


def test_a_smaller_image_in_a_batch_has_no_evidence_where_it_has_no_part(values):
    labels = torch.zeros(2, 16, 16, dtype=torch.long)
    labels[0, 8:] = 1
    evidence = part_evidence(Attribution(values[:2]), labels)
    assert evidence.isnan().tolist() == [[False, False], [False, True]]


def test_a_context_of_unequal_images_gives_each_what_it_gets_alone(net, images, targets, values):
    labels = Grid(size_px=4).segment(images)
    labels[1] = Grid(size_px=8).segment(images)[1]
    fill = torch.full_like(images, 0.5)
    metrics = [FaithfulnessCorrelation(), SinglePartEffect(), Infidelity(), DeletionAUC(), Irof()]
    for metric in metrics:
        case = Case(net, images, targets, Context(labels, fill, batch_size=7))
        together = metric.score(case, Attribution(values))
        for i in range(3):
            own = slice(i, i + 1)
            case = Case(net, images[own], targets[own], Context(labels[own], fill[own]))
            alone = metric.score(case, Attribution(values[own]))
            torch.testing.assert_close(together[own], alone, rtol=1e-4, atol=1e-6)


def test_curves_follow_the_probability_or_another_score_itself(net, images):
    with torch.no_grad():
        p = net(images).softmax(1)
        for model in (net, Scored(net, Logit()), Scored(net, Probability())):
            torch.testing.assert_close(model_for_curves(model)(images), p)
            torch.testing.assert_close(model_for_curves(Remembering(model))(images), p)
        odds = Remembering(Scored(net, LogOdds()))
        torch.testing.assert_close(model_for_curves(odds)(images), (p / (1 - p)).log())


def test_a_single_logit_is_followed_as_its_sigmoid_and_another_single_score_itself(images):
    def brightness(batch):
        return batch.mean((1, 2, 3))[:, None]

    sigmoid = model_for_curves(brightness)(images)
    assert torch.equal(sigmoid, brightness(images).sigmoid())
    score = Scored(brightness, LogDensity(lambda outputs: outputs[:, 0]))
    assert torch.equal(model_for_curves(score)(images), brightness(images))
