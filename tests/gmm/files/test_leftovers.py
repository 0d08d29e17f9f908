import os
import signal
import subprocess
import sys
import time

import pytest

from gmm.files import leftovers
from gmm.files.atomic import atomic
from gmm.files.leftovers import identify_machine, temporary_beside

KILLED = (
    "import os, signal, sys; from pathlib import Path\n"
    "from gmm.files.atomic import atomic\n"
    "with atomic(Path(sys.argv[1])) as temporary:\n"
    "    temporary.write_bytes(bytes(1000)); os.kill(os.getpid(), signal.SIGKILL)"
)


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch):
    monkeypatch.setattr(leftovers, "SWEEP_SECONDS", 0.0)


def test_what_a_killed_writer_left_is_removed_by_the_next_one(tmp_path):
    path = tmp_path / "pipeline.safetensors"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    with atomic(tmp_path / "another.json") as temporary:
        temporary.write_text("{}")
    assert [file.name for file in tmp_path.iterdir()] == ["another.json"]


def test_what_a_live_writer_writes_stays(tmp_path):
    with atomic(tmp_path / "slow.txt") as slow:
        slow.write_text("half")
        with atomic(tmp_path / "quick.txt") as quick:
            quick.write_text("whole")
        assert slow.read_text() == "half"
    assert (tmp_path / "slow.txt").read_text() == "half"


def test_a_writer_on_another_machine_is_given_up_after_a_day(tmp_path):
    own = temporary_beside(tmp_path / "a.ckpt").name
    other = tmp_path / own.replace(identify_machine(), "0123abcd")
    other.touch()
    leftovers.sweep_leftovers(tmp_path)
    assert other.exists()
    long_ago = time.time() - leftovers.DAY_SECONDS - 1
    os.utime(other, (long_ago, long_ago))
    leftovers.sweep_leftovers(tmp_path)
    assert not other.exists()


@pytest.mark.parametrize("name", [".lock", ".notes.2024.txt", ".a.12345678-9.txt", ".gitignore"])
def test_hidden_files_of_others_stay(tmp_path, name):
    (tmp_path / name).touch()
    leftovers.sweep_leftovers(tmp_path)
    assert (tmp_path / name).exists()


def test_a_name_as_long_as_a_file_system_takes_can_be_written(tmp_path):
    for stem in ("x" * 251, "ü" * 125):
        with atomic(tmp_path / f"{stem}.csv") as temporary:
            temporary.write_text("a")
        assert (tmp_path / f"{stem}.csv").read_text() == "a"
