"""``kill -9`` at random moments: nothing is lost, nothing is doubled, and the table is the same."""

import subprocess
import sys

import pytest

from cellxai.explain.results.store import Store
from cellxai.explain.tables.export import write_tables
from cellxai.files.folder import read_csv

TIMES = {"seconds"}
# One process imports torch and forks those that are killed: 21 imports would take a minute.
SCRIPT = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from cellxai.explain.base import Attribution, Explainer
from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.benchmark import Item, Setup, run_benchmark
from cellxai.explain.controls import Edges, RandomAttribution
from cellxai.explain.metrics.complexity import Gini
from cellxai.explain.metrics.faithfulness import DeletionAUC
from cellxai.explain.metrics.localisation import RelevanceMass
from cellxai.explain.metrics.stability import SeedStability
from cellxai.explain.results.store import Store
from cellxai.explain.superpixels.methods import Grid

torch.set_num_threads(1)

class Slow(Explainer):
    def attribute(self, model, images, targets, context):
        time.sleep(0.005)
        return Attribution(images[:, 0] * model(images).mean() + context.seed)

def model(images):
    return images.mean((2, 3))

drawn = torch.rand(24, 3, 16, 16, generator=torch.Generator().manual_seed(0))
cells = {"cells": drawn[0, 0] > 0.5}
items = [Item(str(i), image, None, cells if i % 2 else {}) for i, image in enumerate(drawn)]
explainers = {"slow": Slow(), "edges": Edges(), "random": RandomAttribution()}
metrics = {"gini": Gini(), "deletion": DeletionAUC(), "overlap": RelevanceMass(),
           "seeds": SeedStability()}
setup = Setup(model, explainers, metrics, Grid(8), ConstantBaseline(), (0, 1))

def work(path, tell=lambda: None):
    for _ in run_benchmark(setup, items, Store(path), 32):
        tell()

whole, killed = map(Path, sys.argv[1:])
work(whole)
moments, kills = random.Random(0), 0
while kills < 20:
    before = Store(killed).rows()
    heard, told = os.pipe()
    child = os.fork()
    if not child:
        work(killed, lambda: os.write(told, b"."))
        os._exit(0)
    for _ in range(kills % 4):  # from before the first attribution to inside the fourth
        os.read(heard, 1)
    time.sleep(moments.uniform(0, 0.01))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, "it ended before it was killed"
    kills += 1
    os.close(heard), os.close(told)
    after = {row.key: row for row in Store(killed).rows()}
    assert all(after[row.key] == row for row in before), "a row is lost or changed"
left = len(Store(whole).rows()) - len(Store(killed).rows())
work(killed)
print(kills, left)
"""


@pytest.mark.slow
def test_twenty_kills_lose_and_double_nothing(tmp_path):
    whole, killed = tmp_path / "whole" / "results.sqlite", tmp_path / "killed" / "results.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, whole, killed], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    kills, left = map(int, done.stdout.split())
    rows = len(Store(whole).rows())
    assert kills == 20
    assert 0 < left < rows  # killed in the middle, and not only before or after
    assert len(Store(killed).rows()) == rows == 24 * 3 * 2 * 3 + 12 * 3 * 2
    for path in (whole, killed):
        write_tables(path.parent, Store(path))
    for name in ("table", "ranks", "comparisons", "agreement"):
        assert table(killed.parent / f"{name}.csv") == table(whole.parent / f"{name}.csv")


def table(path) -> list[dict[str, str]]:
    """A table without its times."""
    return [{k: v for k, v in row.items() if k not in TIMES} for row in read_csv(path)]
