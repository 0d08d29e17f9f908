from pathlib import Path

import pytest

from cellxai.data.readers.unlabelled import find_files, records_of_files


@pytest.fixture
def photos(tmp_path) -> Path:
    for name in ("photos/b.png", "photos/a.tif", "photos/deep/c.png", "photos/note.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path / "photos"


def test_a_name_is_a_file_a_folder_of_images_or_a_pattern(photos):
    def names(found):
        return [path.relative_to(photos).as_posix() for path in found]

    assert names(find_files(str(photos / "note.txt"))) == ["note.txt"]
    assert names(find_files(str(photos))) == ["a.tif", "b.png"]
    assert names(find_files(str(photos / "*.png"))) == ["b.png"]
    assert names(find_files(str(photos / "**/*.png"))) == ["b.png", "deep/c.png"]
    assert find_files(str(photos / "*.bmp")) == []
    assert find_files(str(photos / "nothing")) == []


def test_ids_tell_folder_and_name_and_are_never_given_twice(tmp_path):
    paths = [tmp_path / "x/one/cell.png", tmp_path / "y/one/cell.png", tmp_path / "x/two/cell.png"]
    first, second, third = (record.id for record in records_of_files(paths))
    assert first.startswith("one__cell-")
    assert second.startswith("one__cell-")
    assert first != second
    assert third == "two__cell"
    (taken,) = records_of_files(paths[2:], taken=["two__cell"])
    assert taken.id not in ("two__cell", first, second)
    assert taken.label == ""
