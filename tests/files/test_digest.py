import subprocess
from pathlib import Path

import pytest
from flipped_bits import flip_bits

from cellxai.files import digest
from cellxai.files.digest import check_digest, stop_vouching, vouch, vouched


def write(path: Path, text: str) -> None:
    with vouched(path) as temporary:
        temporary.write_text(text)


class Killed(BaseException):
    """What ends a process between two of its steps."""


def test_any_flipped_bit_of_a_file_or_its_digest_is_found(tmp_path):
    write(tmp_path / "a.bin", "cells")
    check_digest(tmp_path / "a.bin")
    for name in ("a.bin", "a.bin.sha256"):
        for place in flip_bits(tmp_path / name):
            if name.endswith("256") and place // 8 > 64:
                continue  # in the name, which nothing depends on
            with pytest.raises(ValueError, match=r"a\.bin: does not have the SHA-256 in a\.bin"):
                check_digest(tmp_path / "a.bin")
    check_digest(tmp_path / "a.bin")


def test_the_digest_is_what_sha256sum_reads(tmp_path):
    write(tmp_path / "a.bin", "cells")
    command = ["sha256sum", "--check", "--strict", "a.bin.sha256"]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0


def test_a_file_without_a_digest_is_taken_as_it_is(tmp_path):
    (tmp_path / "old.bin").write_text("from a version before")
    check_digest(tmp_path / "old.bin")
    vouch(tmp_path / "old.bin")
    (tmp_path / "old.bin").write_text("changed")
    with pytest.raises(ValueError, match=r"if you changed it yourself, remove old\.bin\.sha256"):
        check_digest(tmp_path / "old.bin")
    stop_vouching(tmp_path / "old.bin")
    check_digest(tmp_path / "old.bin")


@pytest.mark.parametrize("old", ["vouched", "plain"])
def test_a_kill_before_the_file_has_its_name_leaves_a_pair_that_fits(tmp_path, monkeypatch, old):
    path = tmp_path / "a.bin"
    write(path, "old") if old == "vouched" else path.write_text("old")
    replace = Path.replace

    def kill(self: Path, target: Path) -> Path:
        if target == path:
            raise Killed
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", kill)
    with pytest.raises(Killed):
        write(path, "new")
    assert path.read_text() == "old"
    check_digest(path)


def test_a_kill_after_the_file_has_its_name_leaves_a_pair_that_fits(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    write(path, "old")
    write_digests = digest.write_digests

    def kill(path: Path, digests: list[str]) -> None:
        if len(digests) == 1:
            raise Killed
        write_digests(path, digests)

    monkeypatch.setattr(digest, "write_digests", kill)
    with pytest.raises(Killed):
        write(path, "new")
    assert path.read_text() == "new"
    check_digest(path)
    monkeypatch.undo()
    write(path, "newest")
    assert len((tmp_path / "a.bin.sha256").read_text().splitlines()) == 1


def test_a_file_that_is_replaced_while_it_is_read_is_not_called_damaged(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    write(path, "old")

    def replace_first(file: Path) -> str:
        monkeypatch.undo()
        write(path, "new")
        return "0" * 64

    monkeypatch.setattr(digest, "hash_file", replace_first)
    check_digest(path)
