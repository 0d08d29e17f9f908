"""Fits by several processes on one machine, each of which is a fresh interpreter."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gmm.estimator import GaussianMixture
from gmm.samples.distributed import Sharded

# What every process does: fit its share with several settings, and note what was sent.
PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
import torch
import torch.distributed as dist
import gmm
from gmm import Chunks, Sharded
from gmm.samples import streaming

folder, rank, world = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
dist.init_process_group("gloo", init_method=sys.argv[4], rank=rank, world_size=world)
plan = json.loads((folder / "plan.json").read_text())
x, weights = np.load(folder / "x.npy"), np.load(folder / "weights.npy")
sent = []

def counting(collective):
    def call(values, *args, **others):
        sent.append(values.numel())
        return collective(values, *args, **others)
    return call

dist.all_reduce = counting(dist.all_reduce)
results = {}
for name, case in plan.items():
    streaming.MOST_DRAWN = case.get("most_drawn", 2**16)
    ends = case["ends"][str(world)]
    part = slice(ends[rank], ends[rank + 1])
    share = x[part]
    form = case.get("form", "array")
    if form == "empty list" and not len(share):
        share = []
    elif form == "stream":
        share = Chunks([share[:3], share[3:]])
    elif form == "holed":
        share = np.where(np.random.default_rng(1).random(x.shape) < 0.2, np.nan, x)[part]
    elif form == "NaN in the last" and rank == world - 1:
        share = np.full_like(share, np.nan)
    weight = weights[part] if case.get("weighted") else None
    sent.clear()
    try:
        mixture = getattr(gmm, case.get("class", "GaussianMixture"))(**case["settings"])
        mixture.fit(Sharded(share), sample_weight=weight)
    except ValueError as error:
        results[name] = str(error)
        continue
    results[name] = {
        "means": np.asarray(mixture.means_).tolist(),
        "bounds": mixture.lower_bounds_,
        "sent": sent[:],
    }
(folder / f"{world}-{rank}.json").write_text(json.dumps(results))
dist.destroy_process_group()
"""

ENDS = {"1": [0, 450], "2": [0, 100, 450], "4": [0, 0, 200, 201, 450]}
SAME_START = {"n_components": 3, "random_state": 0}
CASES = {
    "plain": {"settings": {**SAME_START, "n_init": 2}},
    "tied": {"settings": {**SAME_START, "covariance_type": "tied"}},
    "diag": {"settings": {**SAME_START, "covariance_type": "diag"}},
    "spherical": {"settings": {**SAME_START, "covariance_type": "spherical"}},
    "low_rank": {"settings": {**SAME_START, "covariance_type": "low_rank", "rank": 2}},
    "empty list": {"settings": SAME_START, "form": "empty list"},
    "stream": {"settings": SAME_START, "form": "stream"},
    "few drawn": {"settings": SAME_START, "most_drawn": 120, "weighted": True},
    "weighted": {"settings": SAME_START, "weighted": True},
    "bayesian": {"settings": SAME_START, "class": "BayesianGaussianMixture"},
    "holed": {"settings": {**SAME_START, "missing": "marginalize"}, "form": "holed"},
    "half": {"settings": {**SAME_START, "tol": 0.0, "max_iter": 5}, "rows": 225},
    "all": {"settings": {**SAME_START, "tol": 0.0, "max_iter": 5}},
    "unseeded": {"settings": {"n_components": 3, "init_params": "random"}},
    "NaN in the last": {"settings": SAME_START, "form": "NaN in the last"},
}


def ends_of(rows):
    return {world: [min(end, rows) for end in ends] for world, ends in ENDS.items()}


def launched(folder: Path, world: int) -> list[dict]:
    """What each of the processes has found."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    program = folder / "program.py"
    program.write_text(PROGRAM)
    processes = [
        subprocess.Popen([sys.executable, program, folder, str(rank), str(world), address])
        for rank in range(world)
    ]
    try:
        assert [process.wait(timeout=120) for process in processes] == [0] * world
    finally:
        for process in processes:
            process.kill()
    return [json.loads((folder / f"{world}-{rank}.json").read_text()) for rank in range(world)]


@pytest.fixture(scope="module")
def found(tmp_path_factory, blobs):
    """Results by number of processes, rank and case."""
    folder = tmp_path_factory.mktemp("processes")
    np.save(folder / "x.npy", blobs)
    np.save(folder / "weights.npy", WEIGHTS)
    cases = {name: {**case, "ends": ends_of(case.get("rows", 450))} for name, case in CASES.items()}
    (folder / "plan.json").write_text(json.dumps(cases))
    return {world: launched(folder, world) for world in (1, 2, 4)}


WEIGHTS = np.random.default_rng(5).integers(0, 3, 450).astype(float)
FITTED = [name for name in CASES if name not in ("unseeded", "NaN in the last")]


@pytest.mark.slow
@pytest.mark.parametrize("name", FITTED)
def test_any_number_of_processes_climbs_to_the_same_bound(found, name):
    expected = found[1][0][name]
    for results in found.values():
        for result in results:
            np.testing.assert_allclose(result[name]["bounds"], expected["bounds"], atol=1e-10)
            np.testing.assert_allclose(result[name]["means"], expected["means"], atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FITTED, "unseeded"])
def test_every_process_ends_with_the_same_mixture_to_the_last_bit(found, name):
    for results in found.values():
        assert all(result[name]["means"] == results[0][name]["means"] for result in results)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "tied", "diag", "spherical", "weighted"])
def test_where_every_sample_is_drawn_it_is_the_fit_in_memory(found, name, blobs):
    weights = WEIGHTS if name == "weighted" else None
    fitted = GaussianMixture(**CASES[name]["settings"]).fit(blobs, sample_weight=weights)
    for result in found[4]:
        np.testing.assert_allclose(result[name]["bounds"], fitted.lower_bounds_, atol=1e-10)


@pytest.mark.slow
def test_what_is_sent_in_an_iteration_does_not_depend_on_the_samples(found):
    for results in found.values():
        for result in results:
            half, whole = (result[name]["sent"] for name in ("half", "all"))
            assert half[-5:] == whole[-5:]
            # Weight, bound, and K (1 + D + D²) sums.
            assert whole[-5:] == [1 + 1 + 3 * (1 + 4 + 16)] * 5
            # Besides the iterations, one sum: the samples that a start is looked for in.
            assert len(whole) == 6


@pytest.mark.slow
def test_a_mistake_in_one_process_is_an_error_in_all_of_them(found):
    for world, results in found.items():
        *others, last = (result["NaN in the last"] for result in results)
        assert "chunks[0][0, 0] is NaN" in last
        assert all(f"samples of process {world - 1} cannot be used" in other for other in others)


def test_without_a_process_group_the_error_names_the_way_out(blobs):
    with pytest.raises(ValueError, match=r"needs a process group.*init_process_group"):
        GaussianMixture(3).fit(Sharded(blobs))


def test_a_share_is_not_scored(blobs):
    fitted = GaussianMixture(3, random_state=0).fit(blobs)
    with pytest.raises(ValueError, match=r"Sharded samples are for fit.*pass the share itself"):
        fitted.score_samples(Sharded(blobs))
