from pathlib import Path

import pytest
import torch

from cellxai.data.records import Record
from cellxai.density.known_images import KnownImages, deal, deal_into_folds, find_usable
from cellxai.trained.image_sets import FeatureSource


class Source(FeatureSource):
    """Says whether its features were trained, and gives none."""

    def __init__(self, unseen: bool) -> None:
        self.unseen = unseen

    def outputs(self, images, part):
        raise NotImplementedError


@pytest.fixture
def known(image_set) -> KnownImages:
    """Ten training images and four test images of two classes."""
    sets = {"train": image_set(10, name="t"), "test": image_set(4, 1, name="u")}
    return KnownImages(sets, ("a", "b"))


def test_parts_follow_one_another(known):
    assert known.parts == ("train",) * 10 + ("test",) * 4
    assert [record.id for record in known.records[9:11]] == ["t9", "u0"]
    assert torch.equal(known.every.features[10:], known.sets["test"].features)
    assert torch.equal(
        known.every.rows.of(torch.arange(10, 14))["two"],
        known.sets["test"].rows.of(torch.arange(4))["two"],
    )
    assert known.labels.tolist() == [0, 1] * 7
    assert known.every.logits is None


def test_folds_have_every_image_once_and_classes_in_proportion(known):
    folds = deal_into_folds(Source(unseen=True), known, 3, 0)
    counts = torch.stack([torch.bincount(folds[known.labels == k], minlength=3) for k in (0, 1)])
    assert counts.sum() == 14
    assert (counts.max(1).values - counts.min(1).values).max() <= 1


def test_trained_features_and_two_folds_are_refused(known):
    with pytest.raises(ValueError, match="folds=2: expected 3 or more"):
        deal_into_folds(Source(unseen=True), known, 2, 0)
    with pytest.raises(ValueError, match="folds=3: the network was trained on its"):
        deal_into_folds(Source(unseen=False), known, 3, 0)


def test_a_class_that_is_left_out_takes_no_part(known):
    assert find_usable(known, None) == [True] * 14
    assert find_usable(known, "b") == [True, False] * 7
    with pytest.raises(ValueError, match="left_out_class='c': expected one of a, b"):
        find_usable(known, "c")


def test_groups_stay_in_one_fold_and_no_fold_is_empty():
    records = [Record(f"i{n}", Path("x"), "a", group=f"plate {n // 5}") for n in range(20)]
    folds = deal(records, 10, 0)
    assert folds.unique().tolist() == [0, 1, 2, 3]
    assert all(len(folds[5 * plate : 5 * plate + 5].unique()) == 1 for plate in range(4))
