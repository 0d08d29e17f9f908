import errno
import os

import numpy as np
import pytest
from matplotlib.figure import Figure

from gmm import GaussianMixture, save
from gmm.files.atomic import atomic, write_text
from gmm.files.matrices import write_columns
from gmm.plots.style import save_figure


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "value.txt"
    path.write_text("old")

    def interrupted():
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [file.name for file in tmp_path.iterdir()] == ["value.txt"]
    assert path.read_text() == "old"


def test_files_have_the_mode_that_the_umask_leaves(tmp_path, blobs):
    save(GaussianMixture().fit(blobs), tmp_path / "m.safetensors")
    write_text(tmp_path / "a.txt", "a")
    (tmp_path / "plain").touch()
    expected = (tmp_path / "plain").stat().st_mode
    for name in ("m.safetensors", "a.txt"):
        assert (tmp_path / name).stat().st_mode == expected


def test_a_block_that_writes_nothing_keeps_the_old_file(tmp_path):
    path = tmp_path / "value.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), atomic(path):
        pass
    assert path.read_text() == "old"


def test_two_writers_of_one_process_have_temporary_names_of_their_own(tmp_path):
    with atomic(tmp_path / "a.txt") as first, atomic(tmp_path / "a.txt") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "a.txt").read_text() == "first"


def test_what_killed_writers_of_the_same_file_left_is_removed(tmp_path):
    old, now, other, plain = (
        tmp_path / name
        for name in (".a.17000000001.txt", ".a.18000000002.txt", ".b.19.txt", ".a.txt")
    )
    for path in (old, now, other, plain):
        path.write_text("half")
    for path in (old, other, plain):
        os.utime(path, (0, 0))
    write_text(tmp_path / "a.txt", "whole")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(
        ["a.txt", now.name, other.name, plain.name]
    )


FULL = OSError(errno.ENOSPC, "No space left on device")


def fail(*args, **kwargs):
    raise FULL


WRITERS = {
    "text": ("a.txt", lambda path: write_text(path, "a"), "pathlib.Path.write_text"),
    "matrix": ("a.npy", lambda path: write_columns(path, {"a": np.ones(2)}), "numpy.save"),
    "mixture": (
        "a.safetensors",
        lambda path: save(GaussianMixture().fit(np.eye(3)), path),
        "gmm.persistence.saving.save_file",
    ),
    "picture": (
        "a.png",
        lambda path: save_figure(Figure(), path),
        "matplotlib.figure.Figure.savefig",
    ),
}


@pytest.mark.parametrize("content", WRITERS)
def test_a_full_disk_is_one_line_with_the_path_and_what_was_written(content, tmp_path, monkeypatch):
    name, write, inner = WRITERS[content]
    monkeypatch.setattr(inner, fail)
    with pytest.raises(OSError, match="No space left on device; could not") as raised:
        write(tmp_path / name)
    assert str(raised.value) == (
        f"{tmp_path / name}: No space left on device; could not write the {content} there"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_safetensors_file_that_cannot_be_written_is_named_too(tmp_path):
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(IsADirectoryError, match=r"folder.safetensors: .*could not write the mix"):
        save(GaussianMixture().fit(np.eye(3)), tmp_path / "folder.safetensors")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"file.*a.txt: .*could not write the text there"):
        write_text(tmp_path / "file" / "a.txt", "a")
