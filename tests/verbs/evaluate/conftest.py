"""The evaluation of the small run."""

import json
from pathlib import Path
from typing import Any

import pytest

from cellxai.verbs.evaluate import EvaluationSummary, evaluate


@pytest.fixture(scope="module")
def evaluated(tiny_run: Path) -> EvaluationSummary:
    return evaluate(tiny_run, "cpu")


@pytest.fixture(scope="module")
def report(evaluated: EvaluationSummary) -> dict[str, Any]:
    """What ``report.json`` says."""
    return json.loads((evaluated.folder / "report.json").read_text())
