"""A trained run to benchmark, and no pictures drawn: they take seconds."""

import shutil
from pathlib import Path

import pytest

from cellxai.adapters import benchmark_files


@pytest.fixture
def run(tiny_run, tmp_path) -> Path:
    """A copy of the trained run to write into."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture
def drawn(monkeypatch) -> list[Path]:
    """Folders whose pictures were drawn; only listed, for drawing takes seconds."""
    folders = []

    def draw(folder, store):
        folders.append(folder)
        (folder / "pictures.json").write_text("[]")

    monkeypatch.setattr(benchmark_files, "draw_pictures", draw)
    return folders
