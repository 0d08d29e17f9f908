import pytest
import torch

from cellxai.explain.base import Attribution, Context
from cellxai.explain.metrics.faithfulness import DeletionAUC, InsertionAUC
from cellxai.explain.superpixels import Grid


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


@pytest.fixture
def values():
    return torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_areas_equal_a_slow_loop(net, images, targets, context, values, batch_size):
    labels = Grid(size_px=6).segment(images)  # squares of unequal size: 6×6, 6×4, 4×4
    labels[1] = Grid(size_px=9).segment(images)[1]
    context = Context(labels, context.baseline, batch_size=batch_size)
    attribution = Attribution(values)
    deletion = DeletionAUC().score(net, images, targets, attribution, context, {})
    insertion = InsertionAUC().score(net, images, targets, attribution, context, {})
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
    target = torch.zeros(3, dtype=torch.long)
    deletion = DeletionAUC().score(model, images, target, Attribution(quarter_first), context, {})
    insertion = InsertionAUC().score(model, images, target, Attribution(quarter_first), context, {})
    torch.testing.assert_close(deletion, torch.full((3,), 0.125))
    torch.testing.assert_close(insertion, torch.full((3,), 0.875))


def test_no_order_deletes_faster_than_the_true_contributions_of_a_linear_model(
    linear, images, targets, context, contributions
):
    two_classes = torch.nn.Sequential(linear, TargetAgainstNothing(targets[0]))
    first, target = slice(0, 1), torch.zeros(1, dtype=torch.long)
    context = Context(context.superpixels[first], context.baseline[first])
    truth_map = contributions[0][context.superpixels[0]][None]
    best = DeletionAUC().score(
        two_classes, images[first], target, Attribution(truth_map), context, {}
    )
    for seed in range(10):
        other = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(seed))
        score = DeletionAUC().score(
            two_classes, images[first], target, Attribution(other), context, {}
        )
        assert score >= best - 1e-6


class TargetAgainstNothing(torch.nn.Module):
    """The target logit against a constant 0: a probability that only the target moves."""

    def __init__(self, target):
        super().__init__()
        self.target = target

    def forward(self, logits):
        return torch.stack([logits[:, self.target], torch.zeros_like(logits[:, 0])], 1)
