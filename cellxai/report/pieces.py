"""What every section of the page is made of: the section itself, cards, doubts, pictures."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Card:
    """One figure at the top of the page.

    Args:
        name: What it is.
        value: The figure.
        detail: What the figure is of, and how sure it is.
    """

    name: str
    value: str
    detail: str


@dataclass(frozen=True)
class Doubt:
    """Why a result should not be taken at its word.

    Args:
        text: What is doubtful, with its figures.
        command: What to call about it; empty where no command helps.
    """

    text: str
    command: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture to embed.

    Args:
        alt: What it shows, for readers who cannot see it.
        uri: The ``data:`` address; empty if it cannot be shown.
        width: Width in pixels.
        height: Height in pixels.
        problem: Why it cannot be shown.
    """

    alt: str
    uri: str = ""
    width: int = 0
    height: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Args:
        key: Its folder beside this file, which holds the template that draws it.
        title: Its heading.
        explanation: For a newcomer, what it says and what it does not.
        command: The command that makes it, where it is missing.
        content: What the template draws; ``None`` where there is nothing to draw.
        problem: Why a file that is there cannot be shown, in one line.
        cards: Its figures for the top of the page.
        doubts: Why its figures should not be taken at their word.
        variant: What distinguishes it from other sections of its key; empty for the first.
    """

    key: str
    title: str
    explanation: str
    command: str
    content: Any = None
    problem: str = ""
    cards: tuple[Card, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    variant: str = ""

    @property
    def anchor(self) -> str:
        """Its id on the page, which links lead to."""
        return f"{self.key}-{self.variant}" if self.variant else self.key
