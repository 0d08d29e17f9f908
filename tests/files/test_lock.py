import os
import resource
import signal
import socket
import subprocess

import pytest

from cellxai.files.lock import LOCK, run_lock


@pytest.fixture
def owner(tmp_path, held_by_another) -> subprocess.Popen[str]:
    """Another process that holds the lock of a folder until it is killed."""
    return held_by_another("run_lock(Path(sys.argv[1]))", tmp_path / "run")


def test_a_second_run_is_refused_by_the_name_of_the_first(tmp_path, owner):
    with (
        pytest.raises(
            ValueError,
            match=rf"run is being trained by process {owner.pid} on {socket.gethostname()}; wait",
        ),
        run_lock(tmp_path / "run"),
    ):
        pass


def test_the_lock_of_a_killed_run_is_free_at_once(tmp_path, owner):
    owner.kill()  # as kill -9 does
    owner.wait()
    assert (tmp_path / "run" / LOCK).exists()
    with run_lock(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK).read_text().startswith(f"process {os.getpid()} on ")


def test_the_lock_goes_with_the_block_and_leaves_no_trace(tmp_path):
    with pytest.raises(KeyError), run_lock(tmp_path / "run"):
        raise KeyError
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    with run_lock(tmp_path / "run"):
        (tmp_path / "run" / "config.yaml").touch()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.yaml"]


def test_a_lock_that_is_a_link_is_refused_and_its_target_kept(tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "diary.txt")
    with pytest.raises(ValueError, match=r"\.lock is a link"), run_lock(tmp_path / "run"):
        pass
    assert (tmp_path / "diary.txt").read_text() == "mine"


def test_a_full_disk_is_told_with_the_file_and_leaves_no_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "x" * 99_999)  # the text alone is too long
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9999, before[1]))
    try:
        with (
            pytest.raises(OSError, match=r"run/\.lock: File too large while it was being written"),
            run_lock(tmp_path / "run"),
        ):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not (tmp_path / "run").exists()
