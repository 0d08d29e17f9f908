"""The help of a verb: its options, or a line for each group where there are many options."""

import shutil
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gmm.commandline.mistakes import explain_mistake
from gmm.commandline.options import Option, OptionTable

FOLDED = ".…"
SCREEN = 25  # options; where there are more, groups are folded, and shown when asked for by name
WIDEST_NAMES = 28  # columns of the names; the meaning of a longer one begins in the next line
NARROWEST = 40  # columns: a terminal that says less cannot be read anyway
MOST_CHOICES = 8  # that the help of a verb lists; the help of the group lists all


@dataclass(frozen=True)
class Entry:
    """One entry of the help.

    Args:
        name: What is typed.
        text: What it means, with what it may be and its default.
    """

    name: str
    text: str


def group_asked(words: Sequence[str]) -> str | None:
    """The group whose help is asked for; empty for the whole verb, None for no help at all."""
    for place, word in enumerate(words):
        if word in ("-h", "--help"):
            follows = words[place + 1 : place + 2]
            return "" if not follows or follows[0].startswith("-") else follows[0].rstrip(".")
    return None


def help_of(prog: str, table: OptionTable, group: str = "") -> str:
    """The help of a verb, or of one of its groups, wrapped at the width of the terminal.

    Raises:
        ValueError: If it has no such group.
    """
    width = max(shutil.get_terminal_size((100, 40)).columns, NARROWEST)
    if group:
        return help_of_group(group, table.options, width)
    head = textwrap.fill(f"{prog}: {table.summary}", width)
    if len(table.options) <= SCREEN:
        entries = [describe(option) for option in table.options]
        long = [option.name for option in table.options if len(option.choices) > MOST_CHOICES]
        more = f"{prog} --help {long[0]} lists all that it may be" if long else ""
    else:
        entries = fold(table.options, table.titles)
        first = next(entry.name for entry in entries if entry.name.endswith(FOLDED))
        group = first.strip("-").removesuffix(FOLDED)
        more = f"{prog} --help {group} lists the options of that group"
    end = ["", textwrap.fill(more, width)] if more else []
    return "\n".join([head, "", *lines_of(entries, width), *end, ""])


def fold(options: Sequence[Option], titles: Mapping[str, str]) -> list[Entry]:
    """The entries of options, with one entry in the place of each group of several."""
    sizes = Counter(option.group for option in options if option.group)
    folded: dict[str, Entry] = {}
    for option in options:
        if sizes[option.group] > 1:
            text = f"{titles.get(option.group, '')} [{sizes[option.group]} options]"
            folded.setdefault(option.group, Entry(f"--{option.group}{FOLDED}", text.strip()))
        else:
            folded[option.name] = describe(option)
    return list(folded.values())


def help_of_group(group: str, options: Sequence[Option], width: int) -> str:
    """The options of a group, with all that they may be."""
    chosen = [option for option in options if f"{option.name}.".startswith(f"{group}.")]
    if not chosen:
        groups = sorted({option.group or option.name for option in options})
        raise ValueError(explain_mistake(f"--help {group}: no such group", group, groups))
    lines: list[str] = []
    for option in chosen:
        lines.append(f"--{option.name}{default_of(option)}")
        own = ", or your own" if option.is_open else ""
        choices = f"one of: {', '.join(option.choices)}{own}" if option.choices else ""
        for text in (option.text, choices):
            lines += [f"    {line}" for line in textwrap.wrap(text, width - 4)]
    return "\n".join([*lines, ""])


def describe(option: Option) -> Entry:
    """The entry of one option: its meaning, what it may be, its default."""
    more = ", …" if len(option.choices) > MOST_CHOICES else ""
    choices = f" {{{', '.join(option.choices[:MOST_CHOICES])}{more}}}" if option.choices else ""
    return Entry(f"--{option.name}", f"{option.text}{choices}{default_of(option)}")


def default_of(option: Option) -> str:
    """The default of an option, as its entry ends with it."""
    if option.default is None:
        return " (required)" if option.required else ""
    return f" [{option.default}]"


def lines_of(entries: Sequence[Entry], width: int) -> list[str]:
    """Names and meanings in two columns; no line is longer than the width, and nothing is cut."""
    column = min(max(len(entry.name) for entry in entries), WIDEST_NAMES) + 4
    lines: list[str] = []
    for entry in entries:
        meaning = textwrap.wrap(entry.text, width - column) or [""]
        if len(entry.name) + 4 <= column:
            lines.append(f"  {entry.name:<{column - 2}}{meaning.pop(0)}".rstrip())
        else:
            lines.append(f"  {entry.name}")
        lines += [" " * column + line for line in meaning]
    return lines
