"""The help of a verb: a line for each option, or for each group where there are many options."""

import argparse
import re
import shutil
import textwrap
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonargparse

from gmm.commandline.mistakes import explain_mistake

FOLDED = ".…"
SCREEN = 35  # options; where there are more, groups are folded, and shown when asked for by name


@dataclass(frozen=True)
class Row:
    """One line of the help.

    Args:
        option: Dotted name, with its dashes.
        text: Its meaning, in a sentence.
        default: The end of the line.
    """

    option: str
    text: str
    default: str = ""

    @property
    def group(self) -> str:
        """The first part of the name where it has several, and otherwise the empty string."""
        first, dot, _ = self.option.removeprefix("--").partition(".")
        return first if dot else ""


def group_asked(words: Sequence[str]) -> str | None:
    """The group whose help is asked for; empty for the whole verb, None for no help at all."""
    for place, word in enumerate(words):
        if word in ("-h", "--help"):
            follows = words[place + 1 : place + 2]
            return "" if not follows or follows[0].startswith("-") else follows[0].rstrip(".")
    return None


def help_of(parser: jsonargparse.ArgumentParser, required: Container[str], group: str = "") -> str:
    """The help of a verb, or of one of its groups, cut or wrapped at the width of the terminal.

    Raises:
        ValueError: If it has no such group.
    """
    rows = [row for action in parser._actions if (row := option_row(action, required))]
    width = shutil.get_terminal_size((100, 40)).columns
    if group:
        return help_of_group(group, rows, width)
    head = textwrap.fill(f"{parser.prog}: {parser.description}", width)
    if len(rows) <= SCREEN:
        return "\n".join([head, "", *lines_of(rows, width), ""])
    folded = fold(rows, {name: str(group.title) for name, group in (parser.groups or {}).items()})
    first = next(row.group for row in folded if row.option.endswith(FOLDED))
    more = f"{parser.prog} --help {first} lists the options of that group"
    return "\n".join([head, "", *lines_of(folded, width), "", more, ""])


def fold(rows: Sequence[Row], titles: Mapping[str, str]) -> list[Row]:
    """The rows, with one row in the place of each group of several."""
    sizes = Counter(row.group for row in rows if row.group)
    folded: dict[str, Row] = {}
    for row in rows:
        if sizes[row.group] > 1:
            size = f" [{sizes[row.group]} options]"
            text = first_sentence(titles.get(row.group, ""))
            folded.setdefault(row.group, Row(f"--{row.group}{FOLDED}", text, size))
        else:
            folded[row.option] = row
    return list(folded.values())


def help_of_group(group: str, rows: Sequence[Row], width: int) -> str:
    """The options of a group, with their whole meaning."""
    chosen = [row for row in rows if f"{row.option}.".startswith(f"--{group}.")]
    if not chosen:
        groups = sorted({row.group for row in rows if row.group})
        raise ValueError(explain_mistake(f"--help {group}: no such group", group, groups))
    meanings = (textwrap.indent(textwrap.fill(row.text, width - 4), "    ") for row in chosen)
    entries = [
        f"{row.option}{row.default}\n{meaning}"
        for row, meaning in zip(chosen, meanings, strict=True)
    ]
    return "\n".join([*entries, ""])


def lines_of(rows: Sequence[Row], width: int) -> list[str]:
    """Options, meanings and defaults in columns, the meanings cut where they are too long."""
    column = max(len(row.option) for row in rows) + 4
    return [
        f"  {row.option:<{column - 2}}"
        f"{clip(row.text, width - column - len(row.default))}{row.default}"
        for row in rows
    ]


def option_row(action: argparse.Action, required: Container[str]) -> Row | None:
    """The line of one option in the help; None for an action that is not an option."""
    option = (action.option_strings[-1] if action.option_strings else action.dest).rstrip("+")
    if option.endswith(".help") or action.help == argparse.SUPPRESS or action.dest == "help":
        return None
    if type(action).__name__ == "_ActionConfigLoad":  # the header of a group, not an option
        return None
    text = " ".join((action.help or "").replace("%%", "%").split())
    default = action.default
    if default is None or default is argparse.SUPPRESS or isinstance(default, type):
        shown = " (required)" if action.dest in required else ""
    else:
        shown = f" [{default_text(default)}]"
    return Row(option, first_sentence(text).replace("``", ""), shown)


def clip(text: str, width: int) -> str:
    """The text, shortened to a width where it is longer."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def first_sentence(text: str) -> str:
    """The text up to its first full stop that ends a sentence."""
    return re.split(r"(?<=[.;])\s", text, maxsplit=1)[0].rstrip(".;")


def default_text(default: Any) -> str:
    """A default as a user would type it; an object is shown by its class alone."""
    if isinstance(default, (jsonargparse.Namespace, Mapping)) and "class_path" in default:
        return str(default["class_path"]).rpartition(".")[2]
    return " ".join(str(default).split())
