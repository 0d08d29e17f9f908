from pathlib import PurePath

from hypothesis import given
from hypothesis import strategies as st

from cellxai.data.ids import ids_of_paths, is_safe_id


def test_ids_are_readable_where_names_are():
    assert ids_of_paths([PurePath("cort/a.png"), PurePath("b.tif")]) == ["cort__a", "b"]


def test_names_that_differ_in_suffix_or_case_alone_get_different_ids():
    paths = [PurePath(name) for name in ("a/x.png", "a/x.jpg", "a/X.png", "a/y.png")]
    ids = ids_of_paths(paths)
    assert len({image_id.casefold() for image_id in ids}) == 4
    assert ids[3] == "a__y"


@given(st.lists(st.text(min_size=1, max_size=8), unique_by=lambda text: PurePath(text)))
def test_ids_of_any_paths_are_safe_and_unique(names):
    ids = ids_of_paths([PurePath(name) for name in names])
    assert all(map(is_safe_id, ids))
    assert len({image_id.casefold() for image_id in ids}) == len(names)


def test_ids_that_would_leave_their_folder_are_not_safe():
    for text in ("", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a b", "a\n", "é"):
        assert not is_safe_id(text)
    assert is_safe_id("0030fd0e6378")
