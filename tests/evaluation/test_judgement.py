import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score

from cellxai.evaluation.judgement import PartJudgement


def test_a_part_without_a_mistake_is_no_certainty():
    labels = torch.arange(20) % 2
    logits = torch.eye(2)[labels] * 4 + 0.01 * torch.arange(20)[:, None]
    judged = PartJudgement("test", "ab", logits, labels, np.arange(20)).report
    assert judged["intervals"]["accuracy"] == pytest.approx((0.05 ** (1 / 20), 1))
    for figure in ("balanced_accuracy", "macro_f1", "macro_auroc"):  # ten of each class
        assert judged["intervals"][figure] == pytest.approx((0.05 ** (1 / 10), 1))


@pytest.fixture(scope="module")
def judged() -> PartJudgement:
    """Logits of 60 images of three classes that are right more often than not."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    logits = torch.randn(60, 3, generator=generator) + 1.5 * torch.eye(3)[labels]
    return PartJudgement("test", "abc", logits, labels, np.arange(60))


def test_the_figures_are_those_of_scikit_learn(judged):
    probabilities, labels = judged.probabilities(), judged.labels.numpy()
    report = judged.report
    assert report["accuracy"] == pytest.approx((probabilities.argmax(1) == labels).mean())
    expected = log_loss(labels, probabilities)
    assert report["calibration"]["negative_log_likelihood"] == pytest.approx(expected)
    areas = report["ranking"]
    assert areas["macro_auroc"] == pytest.approx(
        roc_auc_score(labels, probabilities, multi_class="ovr")
    )
    low, high = report["intervals"]["macro_auroc"]
    assert low < areas["macro_auroc"] < high


def test_a_temperature_makes_it_less_sure_and_changes_no_class(judged):
    np.testing.assert_allclose(judged.probabilities(1e6), 1 / 3, atol=1e-5)
    calm = judged.reliabilities(3.0)
    for name, bins in judged.reliabilities().items():
        assert bins.counts.sum() == calm[name].counts.sum() == 60
        means = [np.average(b.confidence, weights=b.counts) for b in (bins, calm[name])]
        assert means[1] < means[0]
        right = [np.average(b.accuracy, weights=b.counts) for b in (bins, calm[name])]
        assert right[0] == pytest.approx(right[1])


def test_a_confidence_of_nearly_one_is_not_one():
    logits = torch.tensor([[0.0, 25.0]])
    judged = PartJudgement("test", "ab", logits, torch.tensor([1]), np.arange(1))
    assert 0 < 1 - judged.probabilities().max() < 1e-10
