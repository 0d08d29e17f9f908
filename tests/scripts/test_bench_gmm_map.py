"""What ``scripts/bench_gmm.py --map`` writes, on tiny samples."""

import bench_gmm_map
import pytest
from bench_gmm_map import draw_map, take_turns
from bench_gmm_map_table import Cell, problem_of, read_cells, worst_lines
from matplotlib.image import imread

TINY = ((40, 2, 2, 2.0), (50, 3, 1, 4.0))


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(bench_gmm_map, "SHORTEST_S", 0.0)
    monkeypatch.setattr(bench_gmm_map, "ROUNDS", 3)
    monkeypatch.setattr(bench_gmm_map, "TYPES", ("full",))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_map_is_a_table_and_a_picture_and_goes_on_where_it_stopped(fast, tmp_path, capsys):
    first, _ = draw_map(tmp_path, 1, TINY[:1])
    cells, picture = draw_map(tmp_path, 1, TINY)
    assert cells[: len(first)] == first
    assert cells == read_cells(tmp_path / "gmm_regimes.csv", "")
    assert len(capsys.readouterr().out.splitlines()) == 2  # each problem was measured once
    works = {"fit", "default fit", "score one", "score all", "predict"}
    assert {(c.n_samples, c.work) for c in cells} == {(n, w) for n in (40, 50) for w in works}
    for cell in cells:
        assert cell.ratios == (
            cell.theirs_cpu / cell.double_cpu,
            cell.theirs_cpu / cell.single_cpu,
        )
        assert min(cell.ratios) > 0
        assert cell.difference < 1e-9  # nats: it was the same work
    assert imread(picture).shape[1] > 1000
    again, _ = draw_map(tmp_path, 1, TINY, ["full, 40 *: score *"])
    assert [cell.name for cell in again] == [cell.name for cell in cells]
    changed = [new.name for new, old in zip(again, cells, strict=True) if new != old]
    assert changed == ["full, 40 × 2, K=2: score one", "full, 40 × 2, K=2: score all"]
    assert again == read_cells(tmp_path / "gmm_regimes.csv", "")


def test_a_table_of_another_machine_is_not_gone_on_with(tmp_path):
    (tmp_path / "table.csv").write_text("# another processor, 2 thread(s)\n")
    with pytest.raises(ValueError, match=r"table\.csv was measured with another processor"):
        read_cells(tmp_path / "table.csv", "this processor, 1 thread(s)")


def test_contestants_take_turns_and_the_first_call_of_each_does_not_count(monkeypatch):
    monkeypatch.setattr(bench_gmm_map, "SHORTEST_S", 0.0)
    monkeypatch.setattr(bench_gmm_map, "ROUNDS", 3)
    order = []
    turns = take_turns([lambda: order.append("theirs"), lambda: order.append("ours")])
    warm, turns_taken = order[:4], order[4:]
    assert warm == ["theirs", "ours"] * 2  # once to load, once to see how long it takes
    assert turns_taken == ["theirs", "ours"] * 3
    assert all(cpu >= 0 and wall > 0 for cpu, wall in turns)


def test_the_worst_cells_are_named_slowest_first():
    def cell(work: str, double: float, single: float) -> Cell:
        return Cell("full", 40, 2, 2, 2.0, work, 1.0, double, single, 1.0, 1.0, 1.0, 0.0)

    cells = [cell("fit", 0.5, 4.0), cell("score one", 2.0, 0.1)]
    assert problem_of(cells[0]).label == "40 × 2, K=2"
    assert list(worst_lines(cells, 2)) == [
        "0.25: full, 40 × 2, K=2: fit, float32",
        "0.50: full, 40 × 2, K=2: score one, float64",
    ]
