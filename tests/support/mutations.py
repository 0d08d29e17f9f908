"""Files that are changed at random: bytes, pieces, numbers, words."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

ODD_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


def mutate_bytes(sound: bytes, n: int, seed: int = 0) -> Iterator[bytes]:
    """``n`` changed copies of a file, one to four changes each."""
    random = np.random.default_rng(seed)
    for _ in range(n):
        content = bytearray(sound)
        for _ in range(random.integers(1, 5)):
            changes = (flip, overwrite, cut, repeat, insert, write_number)
            content = changes[random.integers(len(changes))](content, random)
        yield bytes(content)


def place_in(content: bytearray, random: np.random.Generator) -> int:
    """A place; every other one in the first 200 bytes, where the headers are."""
    end = min(len(content), 200) if random.integers(2) else len(content)
    return int(random.integers(max(end, 1)))


def flip(content: bytearray, random: np.random.Generator) -> bytearray:
    """One bit is another."""
    if content:
        content[place_in(content, random)] ^= 1 << int(random.integers(8))
    return content


def overwrite(content: bytearray, random: np.random.Generator) -> bytearray:
    """A few bytes are others."""
    start, n = place_in(content, random), int(random.integers(1, 9))
    content[start : start + n] = random.bytes(n)
    return content


def cut(content: bytearray, random: np.random.Generator) -> bytearray:
    """A piece is missing, or all that follows."""
    start, n = place_in(content, random), int(random.integers(1, 40))
    del content[start : len(content) if random.integers(4) == 0 else start + n]
    return content


def repeat(content: bytearray, random: np.random.Generator) -> bytearray:
    """A piece comes twice."""
    start, n = place_in(content, random), int(random.integers(1, 40))
    content[start:start] = content[start : start + n]
    return content


def insert(content: bytearray, random: np.random.Generator) -> bytearray:
    """A few bytes more."""
    start = place_in(content, random)
    content[start:start] = random.bytes(int(random.integers(1, 9)))
    return content


def write_number(content: bytearray, random: np.random.Generator) -> bytearray:
    """A number is one at the edge of what its bytes hold."""
    start = place_in(content, random)
    n_bytes = int(random.choice([1, 2, 4]))
    number = int(random.choice(ODD_NUMBERS)) % 256**n_bytes
    order = "big" if random.integers(2) else "little"
    content[start : start + n_bytes] = number.to_bytes(n_bytes, order)
    return content


def mutate_values(
    value: object, odd: Sequence[object], random: np.random.Generator, share: float
) -> object:
    """A nested value of which every part is an odd one with a probability, or missing."""
    if random.random() < share:
        return odd[random.integers(len(odd))]

    def change(part: object) -> object:
        return mutate_values(part, odd, random, share)

    if isinstance(value, dict):
        return {key: change(part) for key, part in value.items() if random.random() > share}
    if isinstance(value, list):
        return [change(part) for part in value if random.random() > share]
    return value


def refused(read: Callable[[], object]) -> str | None:
    """The message of a ``ValueError`` or ``OSError``; ``None`` where there is none."""
    try:
        read()
    except (ValueError, OSError) as error:
        return str(error)
    return None
