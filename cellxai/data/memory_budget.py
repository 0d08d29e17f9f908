"""How much memory images that are being decoded may take together, however many threads decode."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cellxai.data.formats.stack import Stack
from cellxai.data.image_formats import AS_STORED, count_pixels
from cellxai.data.records import Record

BUDGET_BYTES = 2_400_000_000  # with what else a process holds, within 3 GB
MUCH_BYTES = 200_000_000
# At the peak, of colour of 16 bits: decoded by two, to compare: 22 measured.
BYTES_PER_PIXEL = 24


class MemoryBudget:
    """Bytes that threads take and give back; who finds too few waits.

    Args:
        n_bytes: All there are. What needs more than all waits until nobody else has any.
    """

    def __init__(self, n_bytes: int) -> None:
        self.n_bytes = n_bytes
        self.taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, n_bytes: int) -> Iterator[None]:
        """Holds bytes until the block ends."""
        n_bytes = min(n_bytes, self.n_bytes)
        with self._changed:
            self._changed.wait_for(lambda: self.taken + n_bytes <= self.n_bytes)
            self.taken += n_bytes
        try:
            yield
        finally:
            if n_bytes >= MUCH_BYTES:
                return_freed_memory()
            with self._changed:
                self.taken -= n_bytes
                self._changed.notify_all()


def return_freed_memory() -> None:
    """Gives freed memory back to the system.

    Pillow decodes into blocks that glibc keeps for the thread: six threads kept 2.4 GB.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


BUDGET = MemoryBudget(BUDGET_BYTES)


@contextmanager
def room_to_decode(record: Record, stack: Stack = AS_STORED) -> Iterator[None]:
    """Waits until there is memory for the pixels of an image, as many as its header promises.

    A file of 0.3 MB may hold 100 million pixels; six at once in six threads took 8.8 GB.

    Args:
        record: The image.
        stack: Which picture is taken of a file of several.
    """
    chosen = stack.at(record.series, record.time)
    is_known = record.load_image is None or record.more_files  # else one of a file of many
    n_pixels = sum(count_pixels(path, chosen) for path in record.files) if is_known else 0
    with room_for(n_pixels):
        yield


@contextmanager
def room_for(n_pixels: int) -> Iterator[None]:
    """Waits until there is memory for so many pixels.

    A thread that has room must not ask for more, for two could wait for each other.
    """
    with BUDGET.take(n_pixels * BYTES_PER_PIXEL):
        yield
