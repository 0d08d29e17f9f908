from pathlib import Path

import pytest

from cellxai.adapters import benchmark_files
from cellxai.adapters.benchmark_files import export, read_tables
from cellxai.explain.results.rows import Measure, ScoreRow
from cellxai.explain.results.store import Store

ROW = ScoreRow("a", "lime", "gini", 0, 0.25, float("nan"), "ok", "", 100, 0, 2.0)


@pytest.fixture
def store(tmp_path) -> Store:
    store = Store(tmp_path / "results.sqlite")
    store.bind({}, [Measure("gini", "Gini", "complexity", "higher", 0.0, 1.0, "")])
    store.write([ROW])
    return store


@pytest.fixture
def drawn(monkeypatch) -> list[Path]:
    """Folders whose pictures were drawn."""
    folders: list[Path] = []

    def draw(folder, store):
        folders.append(folder)
        (folder / "pictures.json").write_text("[]")

    monkeypatch.setattr(benchmark_files, "draw_pictures", draw)
    return folders


def test_pictures_are_drawn_anew_only_where_a_number_has_changed(store, drawn, tmp_path):
    for _ in range(2):
        export(tmp_path, store)
        assert drawn == [tmp_path]
    store.write([ScoreRow("b", "lime", "gini", 0, 0.75, ROW.chance, "ok", "", 100, 0, 2.0)])
    export(tmp_path, store)
    assert len(drawn) == 2
    assert {"table.csv", "ranks.csv", "cost.csv"} <= {*read_tables(tmp_path)}


def test_a_start_that_was_killed_while_drawing_leaves_the_pictures_to_the_next(
    store, monkeypatch, tmp_path
):
    def die(folder, store):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(benchmark_files, "draw_pictures", die)
        with pytest.raises(KeyboardInterrupt):
            export(tmp_path, store)
    folders = []
    monkeypatch.setattr(benchmark_files, "draw_pictures", lambda folder, _: folders.append(folder))
    export(tmp_path, store)
    assert folders == [tmp_path]
