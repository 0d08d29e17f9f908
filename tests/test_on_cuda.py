"""All of ``tests/on_cuda``, each file in a process that has a pretended CUDA device."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pretended_cuda import missing_compiler

TESTS = Path(__file__).parent
FILES = sorted(path.name for path in (TESTS / "on_cuda").glob("test_*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_what_runs_on_cuda_is_what_runs_on_the_cpu(name: str, tmp_path: Path) -> None:
    reason = missing_compiler()
    if reason:
        pytest.skip(reason)
    command = [
        sys.executable, "-m", "pytest", "-p", "pretended_cuda.plugin", "-p", "no:cacheprovider",
        "-n", "0", "-m", "", f"--basetemp={tmp_path / 'pytest'}", str(TESTS / "on_cuda" / name),
    ]  # fmt: skip
    paths = [str(TESTS.parent), str(TESTS / "support"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
