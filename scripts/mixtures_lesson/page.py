"""What a section of the lesson is, and how the sections become files."""

import json
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gmm import save_figure
from gmm.files.atomic import atomic

INTRODUCTION = """# Gaussian mixtures: the lesson, reproduced

Every figure and number below is written by `scripts/reproduce_mixtures.py`; the numbers are also
in `numbers.json`, by section.
"""


@dataclass(frozen=True)
class Picture:
    """A figure of the lesson.

    Args:
        name: Of its file, without the suffix.
        caption: What it shows.
        drawn: The figure, an Axes in it, or what draws it into a file.
    """

    name: str
    caption: str
    drawn: Figure | Axes | Callable[[Path], None]


@dataclass(frozen=True)
class Section:
    """A part of the lesson.

    Args:
        key: Its name in ``numbers.json``.
        title: Its heading.
        text: Markdown that quotes the numbers.
        numbers: What was measured, ready for JSON.
        pictures: In the order of the page.
    """

    key: str
    title: str
    text: str
    numbers: dict[str, Any]
    pictures: tuple[Picture, ...] = ()

    def markdown(self) -> str:
        """The section as Markdown, its pictures below its text."""
        blocks = self.text.strip().split("\n\n")
        shown = [f"![{each.caption}]({each.name}.png)\n*{each.caption}*" for each in self.pictures]
        return "\n\n".join([f"## {self.title}", *map(_filled, blocks), *shown]) + "\n"


def write_pictures(section: Section, folder: Path) -> None:
    """Draws the pictures of a section into ``folder``."""
    for picture in section.pictures:
        path = folder / f"{picture.name}.png"
        if isinstance(picture.drawn, Figure | Axes):
            save_figure(picture.drawn, path)
        else:
            picture.drawn(path)


def write_page(sections: Iterable[Section], remarks: Iterable[str], folder: Path) -> None:
    """Writes ``lesson.md`` and ``numbers.json``."""
    sections = list(sections)
    numbers = {section.key: section.numbers for section in sections}
    parts = [INTRODUCTION, *(section.markdown() for section in sections), *remarks]
    _write(folder / "numbers.json", json.dumps(numbers, indent=1, ensure_ascii=False) + "\n")
    _write(folder / "lesson.md", "\n".join(part.rstrip() + "\n" for part in parts))


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table, all columns but the first aligned to the right."""
    header = list(header)
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *rows])


def _filled(block: str) -> str:
    """A paragraph wrapped again, now that its numbers are in place; a table as it is."""
    wrapped = textwrap.fill(block, 100, break_long_words=False, break_on_hyphens=False)
    return block if block.startswith("|") else wrapped


def _write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
