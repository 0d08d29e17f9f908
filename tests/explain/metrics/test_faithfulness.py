import pytest
import torch

from cellxai.explain.base import Attribution, Case, Context
from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.metrics.base import Density
from cellxai.explain.metrics.faithfulness import (
    DeletionAUC,
    FamiliarityDrop,
    InsertionAUC,
    Irof,
    removal_ranks,
    score_curves,
)
from cellxai.explain.score import LogOdds, Scored
from cellxai.explain.superpixels.methods import Grid


def slow_auc(net, start, end, target, values, labels):
    """One superpixel and one image at a time."""
    names = labels.unique().tolist()
    names.sort(key=lambda s: -values[labels == s].mean().item())
    image, area, share = start.clone(), 0.0, 0.0
    with torch.no_grad():
        before = net(image[None]).softmax(1)[0, target].item()
        for name in names:
            image[:, labels == name] = end[:, labels == name]
            after = net(image[None]).softmax(1)[0, target].item()
            step = (labels == name).float().mean().item()
            area, share, before = area + step * (before + after) / 2, share + step, after
    assert share == pytest.approx(1)
    return area


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_areas_equal_a_slow_loop(net, images, targets, context, values, batch_size):
    labels = Grid(size_px=6).segment(images)  # squares of unequal size: 6×6, 6×4, 4×4
    labels[1] = Grid(size_px=9).segment(images)[1]
    context = Context(labels, context.baseline, batch_size=batch_size)
    case, attribution = Case(net, images, targets, context), Attribution(values)
    deletion = DeletionAUC().score(case, attribution)
    insertion = InsertionAUC().score(case, attribution)
    for i, target in enumerate(targets.tolist()):
        ends = images[i], context.baseline[i]
        slow = slow_auc(net, *ends, target, values[i], labels[i])
        assert deletion[i].item() == pytest.approx(slow, abs=1e-6)
        slow = slow_auc(net, *ends[::-1], target, values[i], labels[i])
        assert insertion[i].item() == pytest.approx(slow, abs=1e-6)


def test_a_step_function_has_the_area_known_by_hand(images, targets, context):
    """The probability is 1 until the first quarter is hidden: one trapezoid of width 1/4."""

    def model(batch):
        shown = (batch[:, :, :8, :8] != 0.5).all((1, 2, 3)).to(batch)
        return torch.stack([shown, 1 - shown, torch.zeros_like(shown) - 1], 1) * 1e4

    quarter_first = torch.zeros(3, 16, 16)
    quarter_first[:, :8, :8] = 1.0
    case = Case(model, images, torch.zeros(3, dtype=torch.long), context)
    deletion = DeletionAUC().score(case, Attribution(quarter_first))
    insertion = InsertionAUC().score(case, Attribution(quarter_first))
    torch.testing.assert_close(deletion, torch.full((3,), 0.125))
    torch.testing.assert_close(insertion, torch.full((3,), 0.875))


def test_no_order_deletes_faster_than_the_true_contributions_of_a_linear_model(
    linear, images, targets, context, contributions
):
    two_classes = torch.nn.Sequential(linear, TargetAgainstNothing(targets[0]))
    first, target = slice(0, 1), torch.zeros(1, dtype=torch.long)
    context = Context(context.superpixels[first], context.baseline[first])
    case = Case(two_classes, images[first], target, context)
    truth_map = contributions[0][context.superpixels[0]][None]
    best = DeletionAUC().score(case, Attribution(truth_map))
    for seed in range(10):
        other = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(seed))
        score = DeletionAUC().score(case, Attribution(other))
        assert score >= best - 1e-6


class TargetAgainstNothing(torch.nn.Module):
    """The target logit against a constant 0: a probability that only the target moves."""

    def __init__(self, target):
        super().__init__()
        self.target = target

    def forward(self, logits):
        return torch.stack([logits[:, self.target], torch.zeros_like(logits[:, 0])], 1)


@pytest.mark.parametrize("n_steps", [1, 7, 256, 1000])
def test_curves_by_pixels_equal_a_slow_loop(net, images, targets, context, values, n_steps):
    metric = DeletionAUC("pixels", n_steps=n_steps)
    actual = metric.score(Case(net, images, targets, context), Attribution(values))
    n = min(n_steps, 256)
    for i, target in enumerate(targets.tolist()):
        order = values[i].flatten().argsort(descending=True)
        edges = [-(-256 * step // n) for step in range(n + 1)]  # rounded up
        probabilities = []
        for edge in edges:
            changed = images[i].flatten(1).clone()
            changed[:, order[:edge]] = 0.5
            probabilities.append(net(changed.view(1, 3, 16, 16)).softmax(1)[0, target])
        slow = torch.trapezoid(torch.stack(probabilities), torch.tensor(edges) / 256)
        assert actual[i].item() == pytest.approx(slow.item(), abs=1e-6)


def test_the_curve_by_pixels_is_that_of_quantus(quantus):
    """Quantus leaves out where the curve starts, and has the number of steps for the width."""
    q = quantus
    ranks = removal_ranks(q.case, q.attribution, "pixels", 8)
    curves = score_curves(q.case, q.context.baseline, ranks)
    for curve, said in zip(curves, q.said["pixel flipping"], strict=True):
        assert curve[1:].tolist() == pytest.approx(said, abs=1e-5)


def test_a_metrics_own_baseline_takes_the_place_of_the_explainers(
    net, images, targets, context, values
):
    for kind in (DeletionAUC, InsertionAUC, Irof):
        own = kind(baseline=ConstantBaseline(0.1))
        case, attribution = Case(net, images, targets, context), Attribution(values)
        black = case.with_context(Context(context.superpixels, torch.full_like(images, 0.1)))
        assert torch.equal(own.score(case, attribution), kind().score(black, attribution))
        assert (own.score(case, attribution) != kind().score(case, attribution)).all()


def test_irof_equals_a_slow_loop(net, images, targets, context, values, quarters):
    """Quantus 0.6 cuts superpixels of its own, leaves out the first step, divides by nothing."""
    actual = Irof().score(Case(net, images, targets, context), Attribution(values))
    for i, target in enumerate(targets.tolist()):
        parts = sorted(range(4), key=lambda part: -values[i][quarters == part].mean())
        changed, over = images[i].clone(), 0.0
        whole = before = net(changed[None]).softmax(1)[0, target].item()
        for part in parts:
            changed[:, quarters == part] = 0.5
            after = net(changed[None]).softmax(1)[0, target].item()
            over, before = over + (1 - (before + after) / 2 / whole) / 4, after
        assert actual[i].item() == pytest.approx(over, abs=1e-6)


class Brightness(Density):
    """As if bright images were familiar."""

    def log_density(self, images):
        return 100 * images.mean((1, 2, 3))


def test_the_drop_in_familiarity_is_the_mean_along_the_deletion_curve(
    net, images, targets, context, values, quarters
):
    def unasked(batch):
        raise AssertionError("the model is not asked")

    metric = FamiliarityDrop(Brightness(), baseline=ConstantBaseline(0.0))
    actual = metric.score(Case(unasked, images, targets, context), Attribution(values))
    for i in range(3):
        parts = sorted(range(4), key=lambda part: -values[i][quarters == part].mean())
        lost = [100 * (images[i] * (quarters == part)).mean().item() for part in parts]
        steps = torch.tensor(lost).cumsum(0)
        assert actual[i].item() == pytest.approx(steps.mean().item(), rel=1e-4)


def test_a_curve_without_steps_is_an_error():
    with pytest.raises(ValueError, match="n_steps=0"):
        DeletionAUC("pixels", n_steps=0)


def test_a_ratio_to_a_score_that_is_not_positive_is_none(net, images, targets, context, values):
    model = Scored(net, LogOdds())
    with torch.no_grad():
        wholes = model(images).gather(1, targets[:, None])[:, 0]
    assert (wholes <= 0).any()
    actual = Irof().score(Case(model, images, targets, context), Attribution(values))
    assert torch.equal(actual.isnan(), wholes <= 0)
