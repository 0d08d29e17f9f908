import pytest

from gmm.files.atomic import atomic


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
