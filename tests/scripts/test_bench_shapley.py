import argparse

import bench_shapley as bench
import bench_shapley_tables as tables
import numpy as np
import pytest
import torch
from games import curved_game, values_by_subsets

from cellxai.explain.shapley.exact import all_coalitions, exact_shapley_values


@pytest.fixture
def counts(monkeypatch):
    """Fewer passes, of games of few players."""
    few = (40, 60, 100)
    for module in (bench, tables):
        monkeypatch.setattr(module, "COUNTS", few)
        monkeypatch.setattr(module, "MOST", few[-1])
    return few


def test_what_is_known_is_not_asked_again():
    asked = []

    def worth(masks):
        asked.extend(masks.tolist())
        return masks.sum(1).double()

    remembered, masks = bench.Remembered(worth), all_coalitions(4)
    for rows in (slice(0, 9), slice(3, 16), slice(0, 16)):
        assert torch.equal(remembered(masks[rows]), masks[rows].sum(1).double())
    assert len(asked) == 16


@pytest.mark.parametrize("name", [bench.KERNEL, bench.ORDERS])
def test_captum_explains_the_game_and_few_passes_are_the_first_of_many(name):
    worth, asked = curved_game(5), []

    def counted(masks):
        asked.append(len(masks))
        return worth(masks)

    many = bench.by_captum(name, counted, 5, 751, seed=0)
    assert 740 < sum(asked) <= 753
    exact = values_by_subsets(worth, 5)
    assert bench.relative(many, exact) < 0.15
    assert torch.equal(many, bench.by_captum(name, worth, 5, 751, seed=0))
    assert bench.by_captum(bench.ORDERS, worth, 5, 5, seed=0) is None


def test_every_method_is_judged_at_every_number_of_passes(counts):
    exact = exact_shapley_values(curved_game(10)(all_coalitions(10)))
    errors, bounds, covered = bench.errors_of_seed(curved_game(10), exact, 0)
    assert np.shape(errors) == (4, 3)
    assert np.isfinite(errors).all()
    assert errors[0][-1] < errors[2][-1]
    assert np.shape(bounds) == np.shape(covered) == (3,)
    passes, error, reached = bench.stopped(curved_game(10), exact, 0, 0.5)
    assert 42 <= passes <= 100
    assert reached == 1.0
    assert error < 0.5


def test_the_passes_of_an_error_lie_between_two_counts_on_a_line_of_logarithms(counts):
    means = np.array([0.4, 0.2, 0.1])
    assert tables.passes_to_reach(means, 0.5) == pytest.approx(40)
    assert tables.passes_to_reach(means, 0.2) == pytest.approx(60)
    assert tables.passes_to_reach(means, np.sqrt(0.02)) == pytest.approx(np.sqrt(6000))
    assert tables.passes_to_reach(means, 0.05) == np.inf


def test_the_tables_name_every_method_and_what_was_asked_for(counts, tmp_path):
    generator = np.random.default_rng(0)
    errors = generator.uniform(0.1, 0.2, (6, 4, 3)) / np.arange(1, 4)
    errors[0, 3, 0] = np.nan
    lines = tables.error_table(errors)
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == list(tables.METHODS)
    assert lines[-1].split(" | ")[1] == "–"
    assert len(tables.reach_table(errors, generator)) == 6
    assert len(tables.stop_table(generator.uniform(0, 1, (5, 4, 3)))) == 2 + len(tables.ASKED)
    assert len(tables.bound_table(errors[:, 0], errors[:, 0], errors[:, 1])) == 5
    tables.draw(errors[1:], tmp_path / "passes.png")
    assert (tmp_path / "passes.png").stat().st_size > 10_000


@pytest.mark.slow
def test_a_run_is_judged_once_and_then_read_from_the_folder(tiny_run, tmp_path, counts):
    options = argparse.Namespace(run=tiny_run, images=1, truth=200, seeds=1, out=tmp_path / "out")
    (first,) = bench.judge_run(options)
    written = (tmp_path / "out" / "000.npz").stat().st_mtime_ns
    (again,) = bench.judge_run(options)
    assert (tmp_path / "out" / "000.npz").stat().st_mtime_ns == written
    np.testing.assert_array_equal(first.errors, again.errors)
    assert len(bench.tables([first, again])) == 4
