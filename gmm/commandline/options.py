"""What is to be known of a verb's options to print its help or to find a mistyped one.

The tables of a program's verbs are written into a file of its package (``write_tables``), so that
``--help`` and a mistyped option are answered without importing what the verb needs.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

OF_EVERY_VERB = ("help", "print_config", "print_shtab", "allow", "debug")


@dataclass(frozen=True)
class Option:
    """One option of a verb.

    Args:
        name: Dotted name, without dashes.
        text: Its meaning, in a sentence.
        default: The default as a user would type it; ``None`` where there is none.
        required: Whether it has to be given.
        choices: The words or classes that it may be, where they are few or known.
        is_open: Whether names below it, such as ``data.root``, belong to what is chosen.
    """

    name: str
    text: str
    default: str | None = None
    required: bool = False
    choices: tuple[str, ...] = ()
    is_open: bool = False

    @property
    def group(self) -> str:
        """The first part of the name where it has several, and otherwise the empty string."""
        first, dot, _ = self.name.partition(".")
        return first if dot else ""


@dataclass(frozen=True)
class OptionTable:
    """The options of a verb.

    Args:
        summary: What the verb does.
        options: In the order of its signature.
        titles: The meaning of each group of options, by its name.
    """

    summary: str
    options: tuple[Option, ...]
    titles: Mapping[str, str] = field(default_factory=dict)

    def knows(self, name: str) -> bool:
        """Whether an option of that dotted name may be given."""
        whole = re.sub(r"\[\d*\]", "", name).removesuffix("+").removesuffix(".help")
        if whole in OF_EVERY_VERB:
            return True
        return any(
            whole == option.name
            or option.name.startswith(f"{whole}.")
            or (option.is_open and whole.startswith(f"{option.name}."))
            for option in self.options
        )


def unknown_option(table: OptionTable, words: Sequence[str]) -> str | None:
    """The first option among words that a verb does not have, without dashes."""
    for word in words:
        name = word.partition("=")[0]
        if name == "--":
            return None
        if name.startswith("--") and not table.knows(name[2:]):
            return name[2:]
    return None


def write_tables(tables: Mapping[str, OptionTable], path: Path) -> None:
    """Writes the tables of a program's verbs, one line for each option."""
    path.write_text(tables_as_text(tables), encoding="utf-8")


def tables_as_text(tables: Mapping[str, OptionTable]) -> str:
    """The tables as JSON, a line for each option."""
    return "{\n" + ",\n".join(_table_as_text(*item) for item in tables.items()) + "\n}\n"


def _table_as_text(verb: str, table: OptionTable) -> str:
    head = {"summary": table.summary, "titles": dict(table.titles)}
    options = (f"  {json.dumps(asdict(option), ensure_ascii=False)}" for option in table.options)
    start = json.dumps({verb: head}, ensure_ascii=False)[1:-2]
    return start + ', "options": [\n' + ",\n".join(options) + "\n ]}"


def read_tables(path: Path) -> dict[str, OptionTable]:
    """The tables of a program's verbs."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return {verb: _read_table(table) for verb, table in content.items()}


def _read_table(content: dict) -> OptionTable:
    options = (Option(**{**row, "choices": tuple(row["choices"])}) for row in content["options"])
    return OptionTable(content["summary"], tuple(options), content["titles"])
