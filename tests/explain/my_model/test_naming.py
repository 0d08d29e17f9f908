"""Explainers, metrics and classes by name."""

import pytest

from cellxai.explain.backward import Saliency
from cellxai.explain.catalogue import every_explainer, every_metric
from cellxai.explain.metrics.complexity import Gini
from cellxai.explain.my_model.naming import explainers_by_name, metrics_by_name, read_targets


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("lime, Grad-CAM", ["lime", "gradcam"]),
        (["grad_cam", "Integrated Gradients"], ["gradcam", "integrated-gradients"]),
        ([Saliency(), Saliency(), "saliency"], ["Saliency", "Saliency 2", "saliency"]),
        ({"mine": Saliency(), "other": "lime"}, ["mine", "other"]),
        (Saliency(), ["Saliency"]),
    ],
)
def test_names_and_instances_are_taken_in_any_form(wanted, names):
    assert list(explainers_by_name(wanted)) == names


def test_every_name_of_the_catalogues_finds_itself():
    assert list(explainers_by_name([*every_explainer()])) == [*every_explainer()]
    assert list(metrics_by_name([*every_metric(["cells"])], ["cells"])) == [
        *every_metric(["cells"])
    ]


def test_metrics_are_found_like_explainers():
    assert list(metrics_by_name(["Deletion", Gini()])) == ["deletion", "Gini"]
    with pytest.raises(ValueError, match=r"no metric is called 'deletoin'; did you mean deletion"):
        metrics_by_name("deletoin")
    with pytest.raises(ValueError, match="no metric is called 'mass in cells'"):
        metrics_by_name("mass in cells")


@pytest.mark.parametrize("wanted", [[3], [Gini()], {"mine": None}, 7])
def test_what_is_no_explainer_is_told(wanted):
    with pytest.raises(TypeError, match=r"explainers holds .*expected a name such as 'lime'"):
        explainers_by_name(wanted)


def test_targets_are_numbers_or_names_of_one_class_or_of_each():
    import numpy as np
    import torch

    classes = ["astro", "cort", "sh-sy5y"]
    assert read_targets(None, 2, None) is None
    assert read_targets(1, 2, None) == [1, 1]
    assert read_targets("SHSY5Y", 2, classes) == [2, 2]
    assert read_targets(["cort", 0], 2, classes) == [1, 0]
    assert read_targets(torch.tensor([1, 2]), 2, None) == [1, 2]
    assert read_targets(np.array([1, 2]), 2, None) == [1, 2]
    assert read_targets(np.int64(1), 1, None) == [1]
    for wrong in (1.5, object(), [None]):
        with pytest.raises(TypeError, match="expected the number of a class"):
            read_targets(wrong, 1, None)
