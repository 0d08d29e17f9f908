from pathlib import Path

import pytest
import torch

from cellxai.adapters.explained_classes import ClassChoice, class_number, first_classes
from cellxai.adapters.explained_images import predict_subject
from cellxai.adapters.explained_score import ScoredRun
from cellxai.data.records import Record
from cellxai.explain.score import LogDensity, Logit, Scored

CLASSES = ("astro", "cort", "2")


def subject(logits, name="x"):
    record = Record(name, Path(f"{name}.png"), "astro")
    return predict_subject(record, "test", torch.zeros(1, 3, 2, 2), torch.tensor(logits))


def scored(score, of_classes=True):
    return ScoredRun(Scored(lambda x: x, score), score, of_classes)


OF_CLASSES = scored(Logit())


def test_by_default_the_predicted_class_is_explained():
    (chosen,) = ClassChoice().of([subject([0.0, 2.0, 1.0])], CLASSES, OF_CLASSES)
    assert (chosen.target, chosen.predicted, chosen.name) == (1, 1, "x")


@pytest.mark.parametrize(("target", "number"), [("astro", 0), (1, 1), ("1", 1), ("2", 2), (2, 2)])
def test_a_chosen_class_is_explained_of_every_image_whatever_is_predicted(target, number):
    subjects = [subject([0.0, 2.0, 1.0]), subject([5.0, 2.0, 1.0], "y")]
    chosen = ClassChoice(target).of(subjects, CLASSES, OF_CLASSES)
    assert [image.target for image in chosen] == [number] * 2
    assert [image.predicted for image in chosen] == [1, 0]
    assert [image.name for image in chosen] == ["x", "y"]


def test_the_first_classes_are_explained_in_the_order_of_their_scores():
    subjects = [subject([0.0, 2.0, 1.0]), subject([5.0, 2.0, 3.0], "y")]
    chosen = ClassChoice(top_labels=2).of(subjects, CLASSES, OF_CLASSES)
    assert [(image.name, image.target) for image in chosen] == [
        ("x", 1), ("x__top2", 2), ("y", 0), ("y__top2", 2)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("astor", r"target='astor': the network has no such class; did you mean astro or cort"),
        ("zzz", r"no such class; known: astro \(0\), cort \(1\), 2 \(2\)"),
        (3, r"target=3: expected a class from 0 to 2"),
        (-1, r"target=-1: expected a class from 0 to 2"),
    ],
)
def test_a_class_that_is_not_there_is_refused_with_those_that_are(target, message):
    with pytest.raises(ValueError, match=message):
        class_number(target, CLASSES)


@pytest.mark.parametrize("choice", [ClassChoice("astro"), ClassChoice(top_labels=2)])
def test_a_density_is_of_no_class(choice):
    density = scored(LogDensity(torch.sum), of_classes=False)
    with pytest.raises(ValueError, match="the log-density is of the image, not of a class"):
        choice.of([subject([0.0, 2.0, 1.0])], CLASSES, density)


def test_choices_that_contradict_are_refused():
    with pytest.raises(ValueError, match="pass one of the two"):
        ClassChoice("astro", 2)
    with pytest.raises(ValueError, match="top_labels=0"):
        ClassChoice(top_labels=0)
    with pytest.raises(ValueError, match="the network knows 3 classes"):
        first_classes(subject([0.0, 2.0, 1.0]), 4)
