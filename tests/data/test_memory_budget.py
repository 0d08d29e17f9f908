import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from cellxai.data import memory_budget
from cellxai.data.loading.prepared import prepare_all
from cellxai.data.memory_budget import MemoryBudget, room_to_decode
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.folder import ImageFolder
from cellxai.data.records import Record
from cellxai.verbs.check import check


def test_what_is_taken_together_is_never_more_than_there_is():
    budget, seen, lock = MemoryBudget(10), [], threading.Lock()

    def work(n: int) -> None:
        with budget.take(n), lock:
            seen.append(budget.taken)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(work, [1, 9, 4, 7, 30, 2] * 50))
    assert len(seen) == 300
    assert max(seen) <= 10
    assert budget.taken == 0


def test_what_needs_more_than_all_comes_alone_and_an_error_gives_back():
    budget = MemoryBudget(10)
    with budget.take(99):
        assert budget.taken == 10
    with pytest.raises(KeyError), budget.take(3):
        raise KeyError
    assert budget.taken == 0


def test_room_is_asked_for_by_the_header(tmp_path, monkeypatch):
    budget = MemoryBudget(10**9)
    monkeypatch.setattr(memory_budget, "BUDGET", budget)
    Image.fromarray(np.zeros((30, 20), np.uint8)).save(tmp_path / "a.png")
    with room_to_decode(Record("a", tmp_path / "a.png", "x")):
        assert budget.taken == 600 * memory_budget.BYTES_PER_PIXEL
    for other in (tmp_path / "none.png", tmp_path):
        with room_to_decode(Record("a", other, "x")):
            assert budget.taken == 0


def test_images_are_prepared_and_checked_within_the_budget(tmp_path, monkeypatch):
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(8):
            pixels = np.full((40, 40), 10 * i + ord(label), np.uint8)
            Image.fromarray(pixels).save(tmp_path / label / f"{i}.png")
    most: list[int] = []

    class Watched(MemoryBudget):
        def take(self, n_bytes):
            most.append(self.taken)
            return super().take(n_bytes)

    two_images = 2 * 1600 * memory_budget.BYTES_PER_PIXEL
    monkeypatch.setattr(memory_budget, "BUDGET", Watched(two_images))
    source = ImageFolder(tmp_path)
    prepared = prepare_all(source.scan().records, Transforms((16, 16)))
    assert len(prepared.records) == check(source).n_images == 16
    assert len(most) == 32
    assert max(most) <= two_images
