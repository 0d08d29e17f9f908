"""What is computed once of an image for all of its cells or tiles, and dropped when room is short.

The records of an image come one after another, in several threads at once. The first that asks
computes, the others wait for it.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np

KEPT_BYTES = 128 * 2**20  # some forty frames of a megapixel with their label maps


@dataclass(frozen=True)
class Frame:
    """Arrays that belong to one image.

    Args:
        arrays: By name, all that is kept of it.
    """

    arrays: dict[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    @property
    def n_bytes(self) -> int:
        """Memory that they take."""
        return sum(array.nbytes for array in self.arrays.values())


class KeptFrames:
    """The frames that were asked for last, within some bytes; the newest is kept whatever its size.

    Args:
        n_bytes: What they may take together.
    """

    def __init__(self, n_bytes: int = KEPT_BYTES) -> None:
        self.n_bytes = n_bytes
        self._lock = threading.Lock()
        self._frames: OrderedDict[Hashable, Future[Frame]] = OrderedDict()

    def get(self, key: Hashable, compute: Callable[[], Frame]) -> Frame:
        """The frame of a key, computed by the first thread that asks; nobody may change its arrays.

        An error is that of all who ask for the same frame, for a broken file is read once, too.

        Raises:
            Exception: Whatever ``compute`` raises.
        """
        with self._lock:
            future = self._frames.get(key)
            is_first = future is None
            if future is None:
                future = self._frames[key] = Future()
            self._frames.move_to_end(key)
        if is_first:
            self._settle(future, compute)
        return future.result()

    def clear(self) -> None:
        """Drops all frames."""
        with self._lock:
            self._frames.clear()

    def _settle(self, future: "Future[Frame]", compute: Callable[[], Frame]) -> None:
        try:
            future.set_result(compute())
        except BaseException as error:
            future.set_exception(error)
        with self._lock:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        sizes = {key: size_of(future) for key, future in self._frames.items()}
        total, newest = sum(sizes.values()), next(reversed(self._frames), None)
        for key, size in sizes.items():
            if total <= self.n_bytes or key == newest:
                return
            if self._frames[key].done():
                del self._frames[key]
                total -= size


def size_of(future: "Future[Any]") -> int:
    """Bytes of a frame; 0 while it is being computed, and where it could not be."""
    if not future.done() or future.exception() is not None:
        return 0
    return future.result().n_bytes


FRAMES = KeptFrames()
