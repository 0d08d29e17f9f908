from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cellxai.data.readers.shuffled import ShuffledLabels
from cellxai.data.records import Fault, Record, Scan, Source


@dataclass(frozen=True)
class Given(Source):
    """Forty images of two classes, in groups of two, with a fault beside them."""

    backwards: bool = False

    def scan(self) -> Scan:
        records = tuple(
            Record(f"{i:02d}", Path(f"{i}.png"), "rare" if i < 8 else "common", f"plate-{i // 2}")
            for i in range(40)
        )
        return Scan(records[::-1] if self.backwards else records, (Fault("row 3", "torn"),))


def labels(source):
    return {record.id: record.label for record in source.scan().records}


def test_every_class_keeps_its_number_of_images():
    shuffled, plain = labels(ShuffledLabels(Given())), labels(Given())
    assert Counter(shuffled.values()) == Counter(plain.values())
    assert shuffled != plain


def test_images_and_faults_stay_as_they_are():
    shuffled, plain = ShuffledLabels(Given()).scan(), Given().scan()
    assert shuffled.faults == plain.faults
    assert shuffled.classes == plain.classes
    for found, given in zip(shuffled.records, plain.records, strict=True):
        assert replace(found, label=given.label, group=given.group) == given
        assert found.group is None


def test_the_labels_are_a_matter_of_the_seed_and_not_of_the_order_of_the_records():
    assert labels(ShuffledLabels(Given())) == labels(ShuffledLabels(Given(backwards=True)))
    assert labels(ShuffledLabels(Given())) != labels(ShuffledLabels(Given(), seed=1))


@pytest.mark.parametrize("seed", range(3))
def test_a_label_says_nothing_of_the_one_that_was_there(seed):
    shuffled, plain = labels(ShuffledLabels(Given(), seed)), labels(Given())
    kept = sum(shuffled[i] == "rare" for i, label in plain.items() if label == "rare")
    assert kept < 6  # of 8; by chance 1.6
