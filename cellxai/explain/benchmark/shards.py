"""A benchmark in pieces: each takes its share of the images and writes a file of its own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, overload

T = TypeVar("T")
WRITTEN = re.compile(r"(\d+)/(\d+)")
FILE_NAME = re.compile(r"results-(\d+)-of-(\d+)\.sqlite")


@dataclass(frozen=True)
class Shard:
    """One of so many shares of the images: every n-th, so that each has all classes.

    Args:
        number: From 1.
        of: How many shares there are.

    Raises:
        ValueError: If there is no such share.
    """

    number: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ValueError(
                f"shard={self.number}/{self.of}: expected i/n with i from 1 to n, such as 1/4"
            )

    @classmethod
    def parse(cls, text: str | None) -> "Shard":
        """From ``i/n``; None is the whole.

        Raises:
            ValueError: If it is not of that form.
        """
        if text is None:
            return cls()
        if not (match := WRITTEN.fullmatch(text)):
            raise ValueError(f"shard={text!r}: expected i/n with i from 1 to n, such as 1/4")
        return cls(int(match[1]), int(match[2]))

    @property
    def file(self) -> str:
        """Name of the file that its results go to."""
        if self.of == 1:
            return "results.sqlite"
        return f"results-{self.number}-of-{self.of}.sqlite"

    def of_items(self, items: Sequence[T]) -> Sequence[T]:
        """Its items, none of them loaded yet."""
        return items if self.of == 1 else Share(items, range(self.number - 1, len(items), self.of))


WHOLE = Shard()


class Share(Sequence[T]):
    """Some of the items of a sequence, loaded when they are asked for.

    Args:
        items: All items.
        indices: The indices of those that belong to the share.
    """

    def __init__(self, items: Sequence[T], indices: Sequence[int]) -> None:
        self.items = items
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return Share(self.items, self.indices[index])
        return self.items[self.indices[index]]


def shard_files(folder: Path) -> dict[Shard, Path]:
    """The files of shards in a folder, in order."""
    files = {
        Shard(int(match[1]), int(match[2])): path
        for path in folder.glob("results-*-of-*.sqlite")
        if (match := FILE_NAME.fullmatch(path.name))
    }
    return {
        shard: files[shard] for shard in sorted(files, key=lambda shard: (shard.of, shard.number))
    }
