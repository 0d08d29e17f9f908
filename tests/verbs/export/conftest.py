"""A judged run and its export."""

import shutil
from pathlib import Path

import pytest

from cellxai.verbs.evaluate import evaluate
from cellxai.verbs.export import export


@pytest.fixture(scope="session")
def run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judged run of its own: others remove and make the evaluation of the shared one."""
    copy = Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("export") / "run"))
    evaluate(copy, "cpu")
    return copy


@pytest.fixture(scope="session")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(run, tmp_path_factory.mktemp("out") / "model", device="cpu").folder


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copy"))
