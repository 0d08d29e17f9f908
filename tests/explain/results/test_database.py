import math
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from flipped_bits import flip_bits

from cellxai.explain.results.rows import Answer, Measure, ScoreRow
from cellxai.explain.results.store import Store
from cellxai.files.digest import stop_vouching, vouch

ROW = ScoreRow("a.png", "lime", "gini", 0, 0.25, math.nan, "ok", "", 1000, 0, 2.5)
ROWS = [replace(ROW, seed=seed, value=1 / (seed + 1)) for seed in range(40)]
ANSWER = Answer("a.png", "lime", 0, 2, "ok", "", 1000, 0, 2.5, 4096, 32, "float32", 0.9,
                evidence=np.linspace(-1, 1, 300))  # fmt: skip
MEASURE = Measure("gini", "Gini", "complexity", "higher", -math.inf, 1.0, "a paper")


@pytest.fixture
def path(tmp_path):
    store = Store(tmp_path / "results.sqlite")
    store.bind({"seed": "0"}, [MEASURE])
    with store.keep_open():
        store.write(ROWS, ANSWER)
    return store.path


def read(path):
    """All that a file holds, as text; None where it is refused in one line that names it."""
    try:
        store = Store(path)
        content = [store.rows(), store.answers(), store.answers()[0].evidence.tolist()]
        return str([*content, store.measures()])
    except ValueError as error:
        message = str(error)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return None


def test_any_flipped_bit_of_a_file_that_is_done_is_found(path):
    for _ in flip_bits(path):
        assert read(path) is None
    assert read(path) is not None


def test_a_flipped_bit_of_what_a_kill_left_is_found_or_changes_nothing(path):
    before = read(path)
    stop_vouching(path)
    answers = [read(path) for _ in flip_bits(path)]
    assert set(answers) == {None, before}
    assert answers.count(None) > 20  # most of a small file is room for more


def test_a_value_that_was_changed_is_found_with_its_row(path):
    stop_vouching(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE results SET value = 0.5 WHERE seed = 7")
    with pytest.raises(ValueError, match=r"row of .*'a\.png', .* seed 7 is not what was"):
        Store(path).rows()


def test_rows_of_a_version_without_digests_are_read(path):
    before = read(path)
    with sqlite3.connect(path) as connection:
        for table in ("results", "answers", "measures"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN digest")
    stop_vouching(path)
    assert read(path) == before
    Store(path).write([replace(ROW, value=0.5)])
    assert Store(path).rows()[0].value == 0.5


def test_what_is_being_written_is_not_called_damaged(path):
    store = Store(path)
    with store.keep_open():
        store.write([replace(ROW, value=0.75)])
        assert Store(path).rows()[0].value == 0.75
        shutil.copytree(path.parent, path.parent.parent / "killed")  # as a kill would leave it
    assert Store(path).rows()[0].value == 0.75
    assert Store(path.parent.parent / "killed" / path.name).rows()[0].value == 0.75


@pytest.mark.parametrize("beside", ["", "-wal", "-shm", "-journal"])
def test_a_link_is_not_written_through(tmp_path, beside):
    mine, link = tmp_path / "mine.txt", tmp_path / f"linked.sqlite{beside}"
    mine.write_text("mine")
    link.symlink_to(mine)
    with pytest.raises(ValueError, match=rf"{link.name} is a link, expected a file of its own"):
        Store(tmp_path / "linked.sqlite")
    assert mine.read_text() == "mine"


def test_on_a_full_disk_nobody_is_told_to_move_the_file_away(path):
    code = """if True:
        import resource, signal, sys
        from dataclasses import replace; from pathlib import Path
        from cellxai.explain.results.store import Store
        store = Store(Path(sys.argv[1])); row = store.rows()[0]
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        with store.keep_open():
            for seed in range(10_000):
                store.write([replace(row, seed=1000 + seed, reason="x" * 999)])
    """
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=False, capture_output=True, text=True
    )
    last = done.stderr.strip().splitlines()[-1]
    assert f"{path}: " in last
    assert "free some space and start again, what was written is kept" in last
    assert "move" not in last
    assert len(Store(path).rows()) > len(ROWS)


def test_a_database_that_was_removed_is_begun_anew_whatever_vouched_for_it(tmp_path):
    path = tmp_path / "results.sqlite"
    Store(path)
    vouch(path)
    path.unlink()
    for _ in range(2):
        Store(path)
