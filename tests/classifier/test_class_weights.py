import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from cellxai.classifier.class_weights import balanced_weights, check_weights, choose_weights

LABELS = torch.tensor([0, 0, 0, 1])


def test_balanced_weights_are_those_of_scikit_learn():
    labels = torch.tensor([0, 0, 0, 1, 2, 2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    np.testing.assert_allclose(balanced_weights(labels, 3), expected, rtol=1e-6)


def test_a_class_without_training_images_has_a_finite_weight():
    assert balanced_weights(torch.tensor([0, 2]), 3).isfinite().all()


def test_own_weights_are_taken_by_name_or_in_the_order_of_the_classes():
    for wanted in ({"b": 5.0, "a": 1.0}, [1.0, 5.0]):
        weights = choose_weights(wanted, LABELS, ("a", "b"))
        assert weights is not None
        assert weights.tolist() == [1.0, 5.0]
    assert choose_weights("none", LABELS, ("a", "b")) is None


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"a": 1.0}, "names a; expected a weight for each of a, b"),
        ({"a": 1.0, "b": 1.0, "c": 2.0}, "names a, b, c; expected a weight for each of a, b"),
        ([1.0], "has 1 weights, expected 2, in the order of a, b"),
    ],
)
def test_weights_of_other_classes_are_refused(wanted, message):
    with pytest.raises(ValueError, match=message):
        choose_weights(wanted, LABELS, ("a", "b"))


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_is_a_number_above_nothing(weight):
    with pytest.raises(ValueError, match="expected a number above 0"):
        check_weights({"a": 1.0, "b": weight})
    with pytest.raises(ValueError, match="expected a number above 0"):
        check_weights([weight])
