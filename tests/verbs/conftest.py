"""Trainings of a fraction of a second; pictures are rendered in what a module makes once."""

import shutil
from pathlib import Path

import pytest
from small_training import cells, settings, weights

from cellxai.adapters import benchmark_files

__all__ = ["cells", "settings", "weights"]


@pytest.fixture(autouse=True)
def _blank_pictures(unrendered) -> None:
    """A test that is about its picture is marked ``renders``."""


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of the trained run to write into."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders whose pictures were drawn; only listed, for drawing takes seconds."""
    folders: list[Path] = []

    def draw(folder, store):
        folders.append(folder)
        (folder / "pictures.json").write_text("[]")

    monkeypatch.setattr(benchmark_files, "draw_pictures", draw)
    return folders
