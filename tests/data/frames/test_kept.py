import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cellxai.data.frames.kept import Frame, KeptFrames


def frame(n_bytes: int) -> Frame:
    return Frame({"pixels": np.zeros(n_bytes, np.uint8)})


def test_a_frame_is_computed_once_however_many_threads_ask():
    frames, started, computed = KeptFrames(), threading.Event(), []

    def compute() -> Frame:
        computed.append(1)
        started.wait(5)
        return frame(8)

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(frames.get, "key", compute) for _ in range(8)]
        started.set()
        assert len({id(future.result()) for future in asked}) == 1
    assert computed == [1]


def test_the_frames_asked_for_last_are_kept_within_the_bytes():
    frames, computed = KeptFrames(25), []
    for key in "abacbac":
        frames.get(key, lambda key=key: (computed.append(key), frame(10))[1])
    assert computed == ["a", "b", "c", "b", "a", "c"]


def test_the_newest_is_kept_whatever_its_size():
    frames, computed = KeptFrames(25), []
    for key in "bb":
        frames.get(key, lambda key=key: (computed.append(key), frame(99))[1])
    assert computed == ["b"]


def test_an_error_is_that_of_all_who_ask_and_takes_no_room():
    frames, computed = KeptFrames(25), []

    def fail() -> Frame:
        computed.append(1)
        raise ValueError("broken")

    for _ in range(3):
        with pytest.raises(ValueError, match="broken"):
            frames.get("key", fail)
    assert computed == [1]


def test_cleared_it_computes_anew():
    frames, computed = KeptFrames(25), []
    for _ in range(2):
        frames.get("key", lambda: (computed.append(1), frame(1))[1])
        frames.clear()
    assert computed == [1, 1]
