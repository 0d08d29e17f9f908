"""Saved results, read so that a missing or broken file is a line on the page, never a crash."""

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from cellxai.files.folder import read_csv
from cellxai.report.encoded_pictures import shrink
from cellxai.report.pieces import Card, Doubt, Picture, Section

CsvRow = Mapping[str, str]

OF_VIEW = "p: "  # begins the name of a column
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MALFORMED = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    csv.Error,
)
"""What is raised by reading a file that was cut off, edited, or written by another version."""


def describe_error(error: Exception) -> str:
    """The message of an error on one line, with its type where that is half of the message."""
    text = " ".join(str(error).split())
    return text if type(error) is ValueError else f"{type(error).__name__}: {text}"


def attempt(source: Path, read: Callable[[], Any]) -> tuple[Any, str]:
    """What ``read`` returns, or ``None`` and the problem, which is empty without ``source``."""
    if not source.exists():
        return None, ""
    try:
        return read(), ""
    except MALFORMED as error:
        return None, f"{source.parent.name}/{source.name} cannot be shown ({describe_error(error)})"


def fill(
    empty: Section,
    source: Path,
    read: Callable[[], Any],
    cards: Callable[[Any], tuple[Card, ...]] = lambda content: (),
    doubts: Callable[[Any], tuple[Doubt, ...]] = lambda content: (),
) -> Section:
    """A section with what ``source`` holds, or with the problem why it cannot be shown.

    Args:
        empty: The section without content.
        source: The file that the section lives on.
        read: Reads the content.
        cards: Makes the cards of the content.
        doubts: Says why the content should not be taken at its word.
    """
    content, problem = attempt(source, read)
    if content is None:
        return replace(empty, problem=problem)
    return replace(empty, content=content, cards=cards(content), doubts=doubts(content))


def read_json(path: Path) -> Any:
    """The value of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, at least one.

    Raises:
        ValueError: If the table has no row.
    """
    rows = read_csv(path)
    if not rows:
        raise ValueError(f"{path.name} has 0 rows, expected at least one")
    return rows


def p_by_view(row: CsvRow) -> tuple[tuple[str, float], ...]:
    """The p-value of each view in a row of ``density/scores.csv``, the lowest first."""
    views = (
        (name.removeprefix(OF_VIEW), float(cell))
        for name, cell in row.items()
        if name and name.startswith(OF_VIEW) and cell
    )
    return tuple(sorted(views, key=lambda view: view[1]))


def read_yaml(path: Path) -> Any:
    """The value of a YAML file; tags that would build Python objects are refused.

    Raises:
        ValueError: If it is not valid YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"not valid YAML, {error}") from None


def dig(value: Any, *keys: str) -> Any:
    """The value under nested keys; ``None`` where one is absent."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def embed(run: Path, path: Path, alt: str) -> Picture:
    """The picture as a ``data:`` address, if it is a PNG inside the run folder; as WebP if large.

    The name may come from a file that anyone edited, and the page is made to be passed on: a name
    or a link that leads out of the run folder would publish some other file.
    """
    try:
        if not path.resolve().is_relative_to(run.resolve()):
            return Picture(alt, problem=f"{path.name} lies outside the run folder, not embedded")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        return Picture(alt, problem=f"{path.name} cannot be shown ({type(error).__name__})")
    if not content.startswith(PNG_SIGNATURE) or len(content) < 24:
        return Picture(alt, problem=f"{path.name} cannot be shown (not a PNG)")
    # A PNG opens with its signature, then length and name of the header, then width and height.
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    try:
        return Picture(alt, shrink(content), width, height)
    except ValueError as error:
        return Picture(alt, problem=f"{path.name} cannot be shown ({describe_error(error)})")


def embed_if_drawn(run: Path, path: Path, alt: str) -> Picture | None:
    """:func:`embed`, or ``None`` where there is no picture, as in a run of an older version."""
    return embed(run, path, alt) if path.exists() else None
