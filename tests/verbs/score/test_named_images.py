import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from score_rows import rows_in

from cellxai.data.readers.parts import suffix_of
from cellxai.data.records import Record
from cellxai.verbs.score import score
from cellxai.verbs.score.named_images import find_images_below, find_records, read_columns
from cellxai.verbs.score.parts import key_of_record


def test_files_patterns_tables_and_folders_of_folders_are_taken_each_image_once(
    run, plate, tmp_path
):
    deep = Path(shutil.copytree(plate, tmp_path / "deep" / "a" / "b"))
    files = sorted(plate.glob("*.png"))
    (plate.parent / "table.csv").write_text(f"path,well\n{files[3]},A1\nimages/{files[4].name},\n")
    names = [str(files[0]), str(plate / "*00000[12].png"), str(plate.parent / "table.csv")]
    result = score(run, [*names, str(files[0])], tmp_path / "out", device="cpu")
    assert [row["path"] for row in rows_in(tmp_path / "out")] == [str(path) for path in files[:5]]
    assert result.n_images == 5
    below = score(run, str(deep.parent.parent), tmp_path / "below", device="cpu")
    assert below.n_images == 10


@pytest.mark.parametrize("name", ["nothing.png", "*.png", "."])
def test_a_name_that_means_no_image_is_refused(run, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"images='.*' means no image; expected"):
        score(run, name, tmp_path / "out")


def test_what_a_dot_hides_and_what_is_no_image_is_passed_over(plate, tmp_path):
    image = next(plate.glob("*.png"))
    for name in ("a/b/deep.png", "a/top.PNG", ".hidden/x.png", "a/.y.png", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, tmp_path / name)
    below = [path.relative_to(tmp_path).as_posix() for path in find_images_below(tmp_path)]
    assert below == ["a/b/deep.png", "a/top.PNG"]


def test_one_file_by_several_names_is_one_record(plate, monkeypatch):
    monkeypatch.chdir(plate)
    name = next(plate.glob("*.png")).name
    records = find_records([name, f"./{name}", f"../{plate.name}/{name}", str(plate / name)])
    assert [record.path for record in records] == [plate / name]
    with pytest.raises(ValueError, match=r"images=\[\] names no image"):
        find_records([])


def test_an_image_of_which_any_file_changes_has_another_key_and_a_missing_one_none(tmp_path):
    record = Record("a", tmp_path / "a.png", "", more_files=(tmp_path / "b.png",))
    for path in record.files:
        assert key_of_record(record) == (str(record.path), "")
        path.write_bytes(b"x")
        os.utime(path, ns=(1, 17))
    assert key_of_record(record) == (str(record.path), "17")
    os.utime(tmp_path / "b.png", ns=(1, 18))
    assert key_of_record(record) == (str(record.path), "18")


def test_what_a_table_says_of_an_image_stays_with_it(tmp_path):
    (tmp_path / "plate.csv").write_text("path,well,plate\na.png,A1,7\nb.png,,7\nsub/c.png,C3,\n")
    (tmp_path / "other.csv").write_text("path\nd.png\n")
    columns = read_columns([str(tmp_path / "plate.csv"), str(tmp_path / "other.csv"), "*.png"])
    assert columns == {
        tmp_path / "a.png": {"well": "A1", "plate": "7"},
        tmp_path / "b.png": {"well": "", "plate": "7"},
        tmp_path / "sub" / "c.png": {"well": "C3", "plate": ""},
        tmp_path / "d.png": {},
    }


def test_each_series_and_time_point_of_a_file_has_a_key_of_its_own(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"x")
    whole = Record("a", tmp_path / "a.tif", "")
    parts = [(series, time) for series in (None, 0, 1) for time in (None, 0, 1)]
    keys = {
        key_of_record(replace(whole, id=f"a{suffix_of(*part)}", series=part[0], time=part[1]))
        for part in parts
    }
    assert len(keys) == len(parts)
