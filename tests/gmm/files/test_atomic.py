import errno
import os
import subprocess
import sys

import pytest
from safetensors import SafetensorError

from gmm import GaussianMixture, save
from gmm.files.atomic import FULL, atomic, write_text


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


def fill_disk(number):
    def write(*_):
        raise OSError(number, os.strerror(number))

    return write


def as_safetensors_says(*_):
    raise SafetensorError("Error while serializing: I/O error: Disk quota exceeded (os error 122)")


def as_torch_says(*_):
    raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534")


def while_handling(*_):
    try:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        as_torch_says()


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (fill_disk(errno.ENOSPC), "No space left on device"),
        (fill_disk(errno.EDQUOT), "Disk quota exceeded"),
        (fill_disk(errno.EFBIG), "File too large"),
        (as_safetensors_says, "Disk quota exceeded"),
        (as_torch_says, "No space left on device"),
        (while_handling, "No space left on device"),
    ],
)
def test_a_full_disk_is_told_with_the_file_and_keeps_the_old_one(tmp_path, write, said):
    path = tmp_path / "value.bin"
    path.write_text("old")
    with (
        pytest.raises(OSError, match=rf"value\.bin: {said} while it was being written") as caught,
        atomic(path),
    ):
        write()
    assert caught.value.errno in FULL
    assert "\n" not in str(caught.value)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_another_error_stays_what_it_is(tmp_path):
    for error in (PermissionError(errno.EACCES, "no", "x"), RuntimeError("odd"), KeyError("a")):
        with pytest.raises(type(error)) as caught, atomic(tmp_path / "a.txt"):
            raise error
        assert caught.value is error


def test_a_writer_that_reaches_the_limit_of_a_file_names_it(tmp_path):
    code = (
        "import resource, signal, sys; from pathlib import Path; import numpy as np\n"
        "from safetensors.numpy import save_file; from gmm.files.atomic import atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999))\n"
        "with atomic(Path(sys.argv[1])) as temporary:\n"
        "    save_file({'x': np.zeros(9999)}, temporary)\n"
    )
    path = tmp_path / "m.safetensors"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=False, capture_output=True, text=True
    )
    last = done.stderr.strip().splitlines()[-1]
    assert f"{path}: File too large while it was being written" in last
    assert not list(tmp_path.iterdir())
