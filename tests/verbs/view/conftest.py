"""A live server of a run that answers at once."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from cellxai.verbs.view.server import LiveServer
from cellxai.verbs.view.viewed_run import ViewedRun, as_address

ATTACK = "<img src=x onerror=alert(1)>"


class QuickRun:
    """Takes every file that begins with ``P`` for an image."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[bytes] = []

    def judge(self, path: Path) -> dict[str, Any]:
        self.seen.append(path.read_bytes())
        if not self.seen[-1].startswith(b"P"):
            raise ValueError(f"{path} is no image")
        return {
            "predicted": "<b>astro</b>", "probabilities": [["<b>astro</b>", 0.9]], "p": 0.2,
            "possible": "<b>astro</b>", "no_sets": "", "unfamiliar": False, "strange": "tones",
            "no_density": "",
        }  # fmt: skip

    def read(self, path: Path) -> Path:
        return path

    def picture(self, _: Path) -> np.ndarray:
        return np.full((4, 6, 3), 0.5)

    def explain(self, subject: Path, explainers: dict) -> Iterator[dict[str, Any]]:
        picture = as_address(self.picture(subject))
        for name in explainers:
            yield {"method": name, "status": "ok", "reason": "", "seconds": 0.1, "picture": picture}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A server in a thread, its runs, and the folder of dropped images."""
    runs = [QuickRun("first"), QuickRun(ATTACK)]
    server = LiveServer(cast(list[ViewedRun], runs), tmp_path)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield SimpleNamespace(server=server, runs=runs, folder=tmp_path)
    server.shutdown()
    thread.join()
    server.close()
