"""Configs changed at random: the arguments are built, or one line names the file."""

import random as stdlib_random
from pathlib import Path

import numpy as np
import pytest
import yaml
from mutations import mutate_bytes, mutate_values, refused

from cellxai.cli import VERBS
from gmm.commandline.parser import arguments_of

CONFIGS = Path(__file__).parents[2] / "configs"
VERBS_WITH_CONFIGS = ("fit", "density", "explain", "benchmark")
ODD = (None, True, False, -1, 0, 1.5, 10**30, float("inf"), float("nan"), "", "x", "1e400", [], {},
       [[]], [1, 2], {"a": 1}, {"class_path": "x"}, {"class_path": "Sartorius", "init_args": 5},
       b"x", {1: 2}, "cellxai.cli.main")  # fmt: skip
LONGEST_LINE = 1000  # characters


def changed_configs(verb: str, n: int) -> list[bytes]:
    """``n`` configs of a verb: values are others, and of every third any bytes."""
    texts = [path.read_text() for path in sorted((CONFIGS / verb).glob("*.yaml"))]
    random = np.random.default_rng(stdlib_random.Random(verb).randrange(2**32))
    contents = []
    for i in range(n):
        text = texts[i % len(texts)]
        if i % 3 == 2:
            contents += mutate_bytes(text.encode(), 1, seed=i)
        else:
            values = mutate_values(yaml.safe_load(text), ODD, random, 0.04)
            contents.append(yaml.safe_dump(values).encode())
    return contents


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS_WITH_CONFIGS)
def test_a_changed_config_is_taken_or_refused_in_one_line_with_its_name(tmp_path, verb, capsys):
    path, function = tmp_path / "some.yaml", VERBS[verb].load()
    n_refused = 0
    for content in changed_configs(verb, 260):
        path.write_bytes(content)
        message = refused(
            lambda: arguments_of(f"cellxai {verb}", function, ["--config", str(path)])
        )
        n_refused += message is not None
        assert message is None or str(path) in message, content
        assert len(message or "") < LONGEST_LINE
    assert n_refused > 100
    assert "Traceback" not in "".join(capsys.readouterr())
