"""A benchmark of the trained run."""

import shutil
from pathlib import Path

import pytest
from small_benchmark import EXPLAINERS, METRICS, REGIONS

from cellxai.verbs.benchmark import Benchmark, benchmark


@pytest.fixture(scope="module")
def measured(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """Two explainers on all test images."""
    copy = shutil.copytree(tiny_run, tmp_path_factory.mktemp("benchmark") / "run")
    return benchmark(Path(copy), EXPLAINERS, METRICS, REGIONS)
