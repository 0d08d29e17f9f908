import pytest
import torch

from cellxai.explain.backward.gradients import InputXGradient
from cellxai.explain.base import Attribution, Case, Context, Explainer
from cellxai.explain.metrics.agreement import RankCorrelation
from cellxai.explain.metrics.probing import random_subsets
from cellxai.explain.metrics.sufficiency import Sufficiency
from cellxai.explain.superpixels.methods import Grid


class Brightness(Explainer):
    """The brightness of each pixel."""

    def attribute(self, model, images, targets, context):
        return Attribution(images.mean(1))


@pytest.fixture
def undecided(images):
    """A network that hardly prefers a class."""
    torch.manual_seed(1)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(784, 3)
    ).eval()
    with torch.no_grad():
        net[-1].bias -= net(images).mean(0)
    return net


def test_it_counts_equal_predictions_among_equal_explanations(undecided, images, targets):
    labels = Grid(size_px=4).segment(images)
    context = Context(labels, torch.zeros_like(images), batch_size=4)
    metric = Sufficiency(20, 0.5, 0.7, RankCorrelation("pixels"))
    expected, n_alike = [], 0
    for i, image in enumerate(images):
        own = Context(labels[i : i + 1], context.baseline[:1])
        hidden = random_subsets(image[None], own.superpixels, 0.5, 20, 0)[0]
        first = InputXGradient().attribute(undecided, image[None], targets[i : i + 1], own)
        alike = []
        for subset in hidden:
            variant = image.clone()
            for part in subset.nonzero()[:, 0].tolist():
                variant[:, labels[i] == part] = 0
            other = InputXGradient().attribute(undecided, variant[None], targets[i : i + 1], own)
            similarity = RankCorrelation("pixels").compare(first, other, own)
            if similarity >= 0.7:
                same = undecided(variant[None]).argmax() == undecided(image[None]).argmax()
                alike.append(float(same))
        n_alike += len(alike)
        expected.append(sum(alike) / len(alike) if alike else float("nan"))
    assert 0 < n_alike < 60
    assert any(0 < share < 1 for share in expected)
    case = Case(undecided, images, targets, context)
    explainer = InputXGradient()
    actual = metric.score(explainer, case, case.ask(explainer))
    torch.testing.assert_close(actual, torch.tensor(expected), equal_nan=True)


def test_nothing_is_said_where_nothing_is_explained_alike(undecided, images, targets, context):
    case = Case(undecided, images, targets, context)
    metric = Sufficiency(5, threshold=1.01)
    assert metric.score(Brightness(), case, case.ask(Brightness())).isnan().all()


@pytest.mark.parametrize("settings", [{"n_samples": 0}, {"share": 1.0}])
def test_settings_that_compare_nothing_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        Sufficiency(**settings)
