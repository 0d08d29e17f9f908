from collections import Counter
from pathlib import Path

import pytest

from cellxai.data.dealing import deal_folds, shuffled_units, unit_name, units_per_class, urgency
from cellxai.data.records import Record


def images(label: str, n: int, group: str | None = None) -> list[Record]:
    return [Record(f"{label}{group or ''}{i}", Path("x"), label, group) for i in range(n)]


RECORDS = images("a", 9) + images("b", 4, "p") + images("b", 2, "q")


def test_units_hold_every_image_once_groups_whole_and_large_ones_first():
    units = shuffled_units(RECORDS, seed=1)
    ids = [record.id for unit in units for record in unit]
    assert sorted(ids) == sorted(record.id for record in RECORDS)
    assert [len(unit) for unit in units] == [4, 2, *[1] * 9]
    assert all(len({unit_name(record) for record in unit}) == 1 for unit in units)
    assert shuffled_units(RECORDS[::-1], seed=1) == units
    assert shuffled_units(RECORDS, seed=2) != units


def test_an_image_is_not_taken_for_the_group_of_its_name():
    image, member = Record("p", Path("x"), "a"), Record("z", Path("x"), "a", "p")
    assert unit_name(image) != unit_name(member)
    assert units_per_class([image, member, *images("b", 3, "q")]) == {"a": 2, "b": 1}


def test_who_has_nothing_of_a_class_needs_it_before_all_others():
    unit = Counter("a")
    nothing, little, much = (urgency(0.1, Counter(a=n), unit) for n in (0, 1, 5))
    assert nothing > 1e6 > little > much
    assert urgency(0.2, Counter(a=1), unit) == pytest.approx(2 * little)
    assert urgency(0.1, Counter(a=1), Counter(a=3)) == pytest.approx(3 * little)


def test_folds_have_every_class_in_proportion():
    fold_of = deal_folds(images("a", 12) + images("b", 7), 3, 0)
    for label, most in (("a", 4), ("b", 3)):
        counts = Counter(fold for name, fold in fold_of.items() if name.startswith(label))
        assert max(counts.values()) == most
        assert max(counts.values()) - min(counts.values()) <= 1
