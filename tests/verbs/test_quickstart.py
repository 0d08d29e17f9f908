"""The whole product once, in the process of its user."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = REPOSITORY / "configs" / "quickstart.yaml"


def quickstart(run: Path, *words: str) -> str:
    """Standard output of ``cellxai quickstart`` with the shipped config."""
    command = [sys.executable, "-m", "cellxai", "quickstart", "--config", str(CONFIG)]
    # With as many threads as its user has; the other tests are told to take one.
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [*command, "--run", str(run), *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_small_quickstart_reaches_its_page_and_a_second_start_finds_it_done(tmp_path):
    run = tmp_path / "run"
    small = ("--n_images=30", "--transforms.image_size=[64, 64]", "--training.epochs=1")
    small = (*small, "--model.backbone.name=test_efficientnet")
    output = quickstart(run, *small)
    assert f"open the report: {run / 'report' / 'index.html'}" in output
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert "data:image/png;base64" in page
    checkpoint = run / "checkpoints" / "best.ckpt"
    written = checkpoint.stat().st_mtime_ns
    quickstart(run, *small)
    assert checkpoint.stat().st_mtime_ns == written


@pytest.mark.slow
def test_the_quickstart_as_shipped_reaches_95_percent_and_its_page(tmp_path):
    run = tmp_path / "run"
    output = quickstart(run)
    report = json.loads((run / "evaluation" / "report.json").read_text())
    assert report["parts"]["validation"]["accuracy"] >= 0.95
    assert f"validation accuracy {report['parts']['validation']['accuracy']:.3f}" in output
    with (run / "split.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 720
    assert (run / "report" / "index.html").stat().st_size > 100_000
