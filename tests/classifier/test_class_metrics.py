import numpy as np
import pytest
import torch

from cellxai.classifier.class_metrics import ClassScore, balanced_accuracy, macro_f1
from cellxai.evaluation.scores import judge


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@pytest.mark.parametrize("n_seen", [2, 4])
def test_the_scores_of_an_epoch_are_those_of_the_evaluation(n_seen):
    """Batch by batch, and also where a class that is predicted has no image."""
    generator = torch.Generator().manual_seed(n_seen)
    logits, labels = torch.randn(50, 4, generator=generator), torch.arange(50) % n_seen
    scores = [ClassScore(4, score) for score in (balanced_accuracy, macro_f1)]
    for start in range(0, 50, 16):
        for score in scores:
            score.update(logits[start : start + 16], labels[start : start + 16])
    expected = judge(labels, logits.argmax(1), "abcd")
    computed = [float(score.compute()) for score in scores]
    np.testing.assert_allclose(computed, [expected["balanced_accuracy"], expected["macro_f1"]])
