import pytest

from gmm import GaussianMixture, save
from gmm.files.atomic import atomic, write_text


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
