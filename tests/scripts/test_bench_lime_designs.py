import bench_lime_designs as bench
import pytest
import torch

from cellxai.explain.lime.designs import Antithetic, OrthogonalArray, size_probabilities
from cellxai.explain.lime.surrogate import locality_weights


@pytest.fixture
def one() -> bench.Evaluated:
    """Nine superpixels whose score is linear in them, but for an interaction."""
    kernel = locality_weights(9, bench.KERNEL_WIDTH)
    pool = Antithetic().masks(801, kernel, 0)
    arrays = torch.stack([OrthogonalArray().masks(73, kernel, seed) for seed in range(3)])

    def score(masks):
        shown = masks.double()
        return shown @ torch.arange(9.0).double() + 2 * shown[..., 0] * shown[..., 1]

    return bench.Evaluated(pool, score(pool), arrays, score(arrays))


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_draws_of_independent_samples_share_no_row(one, generator):
    draws = list(bench.plain_rows(one, 60, generator))
    assert [len(rows) for rows in draws] == [60] * 6
    assert len(torch.cat(draws).unique()) == 360
    assert (torch.cat(draws) % 2 == 1).all()


def test_antithetic_draws_are_complements(one, generator):
    for rows in bench.antithetic_rows(one, 60, generator):
        masks = one.pool[rows]
        assert torch.equal(masks[0::2], ~masks[1::2])


@pytest.mark.parametrize("rows_of", [bench.stratified_rows, bench.locality_rows])
def test_rows_chosen_by_size_have_its_distribution_and_no_row_twice(one, generator, rows_of):
    weights = one.kernel if rows_of is bench.locality_rows else torch.ones_like(one.kernel)
    expected = (size_probabilities(weights) * torch.arange(10)).sum()
    for rows in rows_of(one, 60, generator):
        assert len(rows.unique()) == 60
        assert 0 not in rows
        assert (one.pool[rows].sum(1).double().mean() - expected).abs() < 0.2


def test_every_design_agrees_with_a_reference_that_it_has_not_seen(one, generator, monkeypatch):
    monkeypatch.setattr(bench, "COUNTS", (24, 48, 72))
    found = bench.agreements(one, generator)
    assert {name for name, _ in found} == {*bench.SELECTIONS, bench.ARRAY}
    assert all(found[name, 72] > 0.8 for name in {name for name, _ in found})


def test_the_tables_name_every_design_and_what_was_asked_for(one, generator, monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "COUNTS", (24, 48, 72))
    by_design = bench.curves([bench.agreements(one, generator)] * 2)
    lines = bench.table(by_design)
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == list(by_design)
    looks = [bench.looks_at(one, seed) for seed in range(3)]
    assert [n for n, _, _ in looks[0]] == [48, 72]
    assert len(bench.adaptive_table(looks)) == 8
    bench.draw(by_design, tmp_path / "designs.png")
    assert (tmp_path / "designs.png").stat().st_size > 10_000
