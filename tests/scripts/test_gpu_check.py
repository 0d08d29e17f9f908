"""The check that needs a GPU, on a pretended one: its code runs, its times mean nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from gpu_check import SECTIONS
from pretended_cuda import missing_compiler

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "gpu_check.py"


def check(out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--out", str(out), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_runs_whole_on_a_pretended_device(section: str, tmp_path: Path) -> None:
    reason = missing_compiler()
    if reason:
        pytest.skip(reason)
    out = tmp_path / "gpu.json"
    done = check(out, "--pretend", "--tiny", "--sections", section)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result["pretended"] is True
    assert "found" in result["sections"][section]


@pytest.mark.slow
def test_without_a_device_the_check_says_so_in_one_line(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    done = check(tmp_path / "gpu.json")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "gpu_check: torch sees no CUDA device; pass --pretend to try the code without one"
    )
