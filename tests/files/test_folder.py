import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from cellxai.files.folder import RunFolder, atomic, read_csv, read_json, write_csv, write_json


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_finished_block_leaves_the_new_file_and_nothing_else(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    for text in ("one", "two"):
        with atomic(path) as temporary:
            temporary.write_text(text)
    assert path.read_text() == "two"
    assert names(path.parent) == ["a.txt"]


def test_an_error_in_between_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half() -> None:
        with atomic(path) as temporary:
            temporary.write_text("ne")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_half()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_kill_in_between_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from cellxai.files.folder import RunFolder, atomic\n"
        "with atomic(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('ne'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_the_temporary_name_keeps_the_suffix_the_folder_and_is_the_process_own(tmp_path):
    with atomic(tmp_path / "a.png") as temporary:
        temporary.touch()
        assert temporary.suffix == ".png"
        assert temporary.parent == tmp_path
        assert str(os.getpid()) in temporary.name


def test_a_block_that_wrote_nothing_is_an_error_and_keeps_the_old_file(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(FileNotFoundError), atomic(tmp_path / "a.txt"):
        pass
    assert (tmp_path / "a.txt").read_text() == "old"


def test_rows_come_back_as_strings_whatever_is_in_them(tmp_path):
    rows = [{"a": 'x,"y"', "b": 1}, {"a": "zwei\nZeilen µ", "b": None}]
    write_csv(tmp_path / "a.csv", rows)
    assert read_csv(tmp_path / "a.csv") == [
        {"a": 'x,"y"', "b": "1"}, {"a": "zwei\nZeilen µ", "b": ""},
    ]  # fmt: skip


def test_rows_without_a_header_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"a\.csv: no row"):
        write_csv(tmp_path / "a.csv", [])
    with pytest.raises(ValueError, match="b"):
        write_csv(tmp_path / "a.csv", [{"a": 1}, {"b": 2}])
    assert names(tmp_path) == []


def test_json_comes_back_and_broken_json_is_named(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 2.5, None, "µ"]})
    assert read_json(tmp_path / "a.json") == {"b": [1, 2.5, None, "µ"]}
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ValueError, match=r"a\.json: not valid JSON"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o007, 0o660)])
def test_a_file_has_the_rights_of_the_umask_whoever_writes_it(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with atomic(tmp_path / "x.safetensors") as temporary:
            save_file({"x": np.zeros(1)}, temporary)
    finally:
        os.umask(before)
    assert (tmp_path / "x.safetensors").stat().st_mode & 0o777 == mode


def test_two_writers_of_one_process_number_have_two_files(tmp_path):
    with atomic(tmp_path / "x.txt") as first, atomic(tmp_path / "x.txt") as second:
        assert first != second
        first.write_text("a")
        second.write_text("b")
    assert (tmp_path / "x.txt").read_text() == "a"


@pytest.mark.parametrize("inside", ["score", "explain/maps", "density", "checkpoints"])
def test_a_folder_of_which_a_part_lies_elsewhere_is_refused(tmp_path, inside):
    elsewhere, link = tmp_path / "home", tmp_path / "run" / inside
    elsewhere.mkdir()
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    with pytest.raises(
        ValueError, match=rf"run/{inside} is a link out of the run folder, to .*home"
    ):
        RunFolder(tmp_path / "run")


def test_links_to_the_folder_and_within_it_are_followed(tmp_path):
    (tmp_path / "disk" / "score").mkdir(parents=True)
    (tmp_path / "disk" / "latest").symlink_to(tmp_path / "disk" / "score")
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    write_json(RunFolder(tmp_path / "run").score / "a.json", 1)
    assert (tmp_path / "disk" / "score" / "a.json").is_file()


def test_a_file_that_is_a_link_is_replaced_and_not_written_through(tmp_path):
    (tmp_path / "mine.json").write_text("mine")
    (tmp_path / "a.json").symlink_to(tmp_path / "mine.json")
    write_json(tmp_path / "a.json", 1)
    assert (tmp_path / "mine.json").read_text() == "mine"
    assert not (tmp_path / "a.json").is_symlink()
