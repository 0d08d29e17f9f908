"""A benchmark to write into."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of the benchmark of the finished run, with the config alone beside it."""
    folder = tmp_path / "run"
    shutil.copytree(finished_run / "benchmark", folder / "benchmark")
    shutil.copy(finished_run / "config.yaml", folder)
    return folder
