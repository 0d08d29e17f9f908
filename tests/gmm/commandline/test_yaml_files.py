import os
from pathlib import Path

import pytest

from gmm.commandline.parser import arguments_of
from gmm.commandline.yaml_files import load_yaml


def verb(size: int = 1, name: str = "x") -> None:
    """Does nothing."""


def parse(*configs: Path) -> dict:
    return arguments_of(
        "verb", verb, [word for path in configs for word in ("--config", str(path))]
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [1, 2\n", "not valid YAML"),
        ("- 1\n- 2\n", "expected a mapping of options, got a list"),
        ("\xff", "not valid YAML"),
        ("a: &a [*a]", "aliases"),
        ("[" * 5000, "not valid YAML"),
    ],
)
def test_a_broken_config_is_named_among_others(tmp_path, text, reason):
    (tmp_path / "good.yaml").write_text("size: 2")
    (tmp_path / "broken.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=rf"broken\.yaml: .*{reason}"):
        parse(tmp_path / "good.yaml", tmp_path / "broken.yaml")


def test_an_empty_config_changes_nothing(tmp_path):
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    (tmp_path / "good.yaml").write_text("size: 2")
    assert parse(tmp_path / "good.yaml", tmp_path / "empty.yaml") == {"size": 2, "name": "x"}


def test_aliases_that_multiply_are_refused_and_others_taken(tmp_path):
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [
        f"{c}: &{c} [{','.join(['*' + p] * 9)}]"
        for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"bomb\.yaml: its aliases make more than 100,000 values"):
        load_yaml(tmp_path / "bomb.yaml")
    (tmp_path / "sound.yaml").write_text("a: &a [1, 2]\nb: *a\nc: *a\n")
    assert load_yaml(tmp_path / "sound.yaml")["c"] == [1, 2]


def test_what_never_ends_is_no_config(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (Path("/dev/zero"), tmp_path / "pipe.yaml", tmp_path):
        with pytest.raises(ValueError, match="not a regular file"):
            load_yaml(path)
