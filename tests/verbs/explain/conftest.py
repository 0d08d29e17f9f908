import shutil
from pathlib import Path

import pytest


@pytest.fixture
def drawn_run(tiny_run, tmp_path) -> Path:
    """A copy of the trained run to write into."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture
def run(drawn_run, monkeypatch) -> Path:
    """Likewise, for what is not about pictures, which take most of the time."""
    none = {"lime": None, "comparison": None}
    monkeypatch.setattr("cellxai.verbs.explain.work.draw_pictures", lambda *_: dict(none))
    monkeypatch.setattr("cellxai.verbs.explain.verb.draw_grid", lambda *_: None)
    return drawn_run
