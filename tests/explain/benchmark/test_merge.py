from dataclasses import replace

import numpy as np
import pytest
import torch

from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.benchmark import Item, Setup, run_benchmark
from cellxai.explain.benchmark.merge import merge_stores
from cellxai.explain.benchmark.shards import Shard
from cellxai.explain.controls import Edges, RandomAttribution
from cellxai.explain.metrics.complexity import Gini
from cellxai.explain.metrics.faithfulness import DeletionAUC
from cellxai.explain.metrics.localisation import RelevanceMass
from cellxai.explain.results.rows import Answer, ScoreRow
from cellxai.explain.results.store import Store
from cellxai.explain.superpixels.methods import Grid

ROW = ScoreRow("a", "lime", "gini", 0, 0.25, 0.1, "ok", "", 1000, 0, 2.5)
ANSWER = Answer("a", "lime", 0, 2, "ok", "", 1000, 0, 2.5, evidence=np.array([1.0, -2.0]))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results.sqlite")


@pytest.fixture
def other(tmp_path):
    return Store(tmp_path / "other.sqlite")


def content(store: Store) -> tuple:
    """All that a table could show, without what it took."""
    rows = [replace(row, seconds=0.0, metric_seconds=0.0) for row in store.rows()]
    answers = [
        (
            answer.image,
            answer.explainer,
            answer.seed,
            answer.status,
            answer.forwards,
            answer.evidence.tolist(),
        )
        for answer in store.answers()
    ]
    return rows, answers, store.measures(), store.inapplicable(), store.settings()


def test_shards_together_are_the_whole(net, tmp_path, store):
    drawn = torch.rand(7, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    mask = {"cells": torch.ones(16, 16, dtype=torch.bool)}
    items = [Item(f"{i}", image, 0, mask if i % 2 else {}) for i, image in enumerate(drawn)]
    setup = Setup(
        net,
        {"edges": Edges(), "random": RandomAttribution()},
        {"gini": Gini(), "deletion": DeletionAUC(), "overlap": RelevanceMass()},
        Grid(8), ConstantBaseline(0.5), (0, 1),
    )  # fmt: skip
    whole = Store(tmp_path / "whole.sqlite")
    for _ in run_benchmark(setup, items, whole, 32):
        pass
    for number in (1, 2, 3):
        shard = Shard(number, 3)
        part = Store(tmp_path / shard.file)
        for _ in run_benchmark(setup, shard.of_items(items), part, 32):
            pass
        assert merge_stores(store, part.path) == len(part.rows()) > 0
    assert content(store) == content(whole)
    assert merge_stores(store, tmp_path / Shard(2, 3).file) == 0
    assert content(store) == content(whole)


def test_other_settings_are_refused_and_nothing_is_mixed(store, other):
    store.bind({"explainer 'lime'": "Lime(1000)"})
    other.bind({"explainer 'lime'": "Lime(9)"})
    other.write([ROW])
    with pytest.raises(ValueError, match=r"explainer 'lime' was Lime\(1000\), now it is Lime\(9\)"):
        merge_stores(store, other.path)
    assert store.rows() == []


def test_a_contradiction_is_refused_by_name(store, other):
    store.write([ROW])
    other.write([replace(ROW, value=0.5), replace(ROW, image="b")])
    with pytest.raises(ValueError, match=r"lime under gini on a \(seed 0\) is 0\.5, but 0\.25 in"):
        merge_stores(store, other.path)
    assert store.rows() == [ROW]


def test_a_failure_gives_way_to_what_did_not_fail_in_either_order(store, other, tmp_path):
    failed = replace(ROW, value=np.nan, status="failed", reason="RuntimeError: no memory")
    no_map = replace(ANSWER, status="failed", reason=failed.reason, evidence=None)
    store.write([failed], no_map)
    other.write([ROW], ANSWER)
    assert merge_stores(store, other.path) == 1
    assert store.rows() == [ROW]
    assert store.answers()[0].evidence.tolist() == [1.0, -2.0]
    third = Store(tmp_path / "third.sqlite")
    third.write([failed], no_map)
    assert merge_stores(store, third.path) == 0
    assert store.rows() == [ROW]
    assert store.answers()[0].status == "ok"
