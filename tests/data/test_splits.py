from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellxai.data.records import Record
from cellxai.data.splits import SplitSettings, split_records, write_split


def images(label: str, n: int, group: str | None = None) -> list[Record]:
    name = f"{label}-{group}" if group else label
    return [Record(f"{name}-{i}", Path(f"{name}-{i}.png"), label, group) for i in range(n)]


def counts(records, parts) -> Counter:
    return Counter((record.label, parts[record.id]) for record in records)


shares = st.just(0.0) | st.floats(0.001, 0.45)


@given(sizes=st.lists(st.integers(3, 40), min_size=1, max_size=4), validation=shares, test=shares)
def test_every_class_is_in_every_part_in_proportion(sizes, validation, test):
    records = [record for i, n in enumerate(sizes) for record in images(f"class{i}", n)]
    parts = split_records(records, SplitSettings(validation, test))
    found = counts(records, parts)
    for i, n in enumerate(sizes):
        for part, share in (("validation", validation), ("test", test)):
            assert (found[f"class{i}", part] > 0) == (share > 0)
            # Within one image of the exact share, beside the one that each part has for certain.
            assert abs(found[f"class{i}", part] - n * share) <= 1.5
        assert found[f"class{i}", "train"] >= 1


def test_the_real_proportions_are_kept():
    records = images("shsy5y", 11) + images("astro", 14) + images("cort", 26)
    found = counts(records, split_records(records, SplitSettings(0.4, 0.0)))
    assert [found[label, "validation"] for label in ("shsy5y", "astro", "cort")] == [4, 6, 10]
    assert not any(part == "test" for _, part in found)


def test_shares_of_zero_leave_all_to_train():
    records = images("a", 1) + images("b", 2)
    parts = split_records(records, SplitSettings(0.0, 0.0))
    assert set(parts.values()) == {"train"}


@given(st.permutations(images("a", 6) + images("b", 5, "plate 1") + images("b", 9)))
def test_the_order_of_the_records_does_not_matter(records):
    expected = split_records(sorted(records, key=lambda record: record.id), SplitSettings(seed=3))
    assert split_records(records, SplitSettings(seed=3)) == expected


def test_another_seed_parts_the_images_differently():
    records = images("a", 20)
    one, again, other = (split_records(records, SplitSettings(seed=seed)) for seed in (0, 0, 1))
    assert one == again
    assert one != other


@given(seed=st.integers(0, 1000))
def test_groups_stay_whole(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, 24)
    records = [
        record for i, n in enumerate(sizes) for record in images("ab"[i % 2], n, f"well {i}")
    ]
    parts = split_records(records, SplitSettings(0.25, 0.25, seed=seed))
    of_group: dict[str, set[str]] = {}
    for record in records:
        of_group.setdefault(record.group, set()).add(parts[record.id])
    assert all(len(found) == 1 for found in of_group.values())
    assert {part for _, part in counts(records, parts)} == {"train", "validation", "test"}
    n_train = sum(part == "train" for part in parts.values())
    assert 0.35 <= n_train / len(records) <= 0.65


def test_an_image_without_a_group_is_not_taken_for_the_group_of_its_name():
    records = [*images("a", 5, "plate"), Record("plate", Path("p.png"), "a"), *images("a", 5)]
    parts = split_records(records, SplitSettings(0.3, 0.3, seed=1))
    assert len({parts[record.id] for record in records[:5]}) == 1


def test_a_class_with_too_few_images_is_named_with_the_way_out():
    with pytest.raises(ValueError, match="class 'b' has too few images: 2, expected at least 3"):
        split_records(images("a", 9) + images("b", 2), SplitSettings())


def test_a_class_with_too_few_groups_is_named():
    records = images("a", 9) + images("b", 20, "one plate") + images("b", 20, "another")
    with pytest.raises(ValueError, match="class 'b' has too few groups: 2"):
        split_records(records, SplitSettings())


def test_no_images_at_all_is_an_error():
    with pytest.raises(ValueError, match="no images to split"):
        split_records([], SplitSettings())


@pytest.mark.parametrize("settings", [{"test_share": 1.0}, {"validation_share": -0.1}])
def test_shares_outside_their_range_are_refused(settings):
    with pytest.raises(ValueError, match="expected a share in"):
        SplitSettings(**settings)
    with pytest.raises(ValueError, match="leave nothing to train on"):
        SplitSettings(0.5, 0.5)


def test_a_written_split_reads_back_as_it_was(tmp_path):
    records = images("a", 7) + images("b", 8, "plate") + images("b", 3)
    parts = split_records(records, SplitSettings(0.3, 0.0, seed=5))
    write_split(tmp_path / "split.csv", records, parts)
    assert split_records(records, SplitSettings(file=tmp_path / "split.csv")) == parts
    header, first = (tmp_path / "split.csv").read_text().splitlines()[:2]
    assert header == "id,label,group,part"
    assert first == f"a-0,a,,{parts['a-0']}"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a-0,train\na-1,train\na-2,train\nx,test\ny,test", "ids x, y not in the data"),
        ("a-0,train", "ids a-1, a-2 without a row"),
        ("a-0,train\na-1,holdout\na-2,test", "row 3: part 'holdout', expected train"),
        ("a-0,train\na-0,test\na-1,test\na-2,test", "row 3: id 'a-0' is named twice"),
        ("a-0,test\na-1,test\na-2,test", "class 'a' has no image in train"),
    ],
)
def test_a_split_file_that_does_not_fit_is_refused_with_the_ids(tmp_path, rows, message):
    (tmp_path / "split.csv").write_text(f"id,part\n{rows}\n")
    with pytest.raises(ValueError, match=message):
        split_records(images("a", 3), SplitSettings(file=tmp_path / "split.csv"))
