"""The table of a verb's options, read off its parser."""

import argparse
import re
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import jsonargparse

from gmm.commandline.class_names import base_classes, class_names, import_siblings
from gmm.commandline.options import Option, OptionTable


def table_of(parser: jsonargparse.ArgumentParser, required: frozenset[str]) -> OptionTable:
    """All options of a verb, with the classes that they may name.

    Args:
        parser: The parser of the verb.
        required: Names of the options that have to be given.
    """
    bases = base_classes(parser)
    for base in bases.values():
        import_siblings(base)
    options = [option_of(action, required, bases) for action in parser._actions]
    titles = {name: str(group.title or "") for name, group in (parser.groups or {}).items()}
    known = tuple(option for option in options if option is not None)
    summary = " ".join((parser.description or "").split())
    return OptionTable(summary, known, {k: first_sentence(v) for k, v in titles.items()})


def option_of(
    action: argparse.Action, required: frozenset[str], bases: Mapping[str, type]
) -> Option | None:
    """One option; None for an action that is not an option."""
    name = (action.option_strings[-1] if action.option_strings else action.dest).strip("-")
    name = name.rstrip("+")
    if name.endswith(".help") or action.help == argparse.SUPPRESS or action.dest == "help":
        return None
    if type(action).__name__ == "_ActionConfigLoad":  # the header of a group, not an option
        return None
    text = " ".join((action.help or "").replace("%%", "%").split())
    default = action.default
    known = not (default is None or default is argparse.SUPPRESS or isinstance(default, type))
    return Option(
        name=name,
        text=first_sentence(text).replace("``", ""),
        default=default_text(default) if known else None,
        required=action.dest in required,
        choices=choices_of(action, bases.get(action.dest)),
        is_open=action.dest in bases or takes_names(getattr(action, "_typehint", None)),
    )


def choices_of(action: argparse.Action, base: type | None) -> tuple[str, ...]:
    """The words that an option may be, or the classes that lie beside its base class."""
    hint = getattr(action, "_typehint", None)
    words = tuple(str(word) for part in (hint, *get_args(hint)) for word in literals_of(part))
    if base is None:
        return words
    package = base.__module__.partition(".")[0]
    return words + tuple(class_names(base, package))


def literals_of(hint: Any) -> tuple[Any, ...]:
    """The values of a ``Literal``; none of any other type."""
    return get_args(hint) if get_origin(hint) is Literal else ()


def takes_names(hint: Any) -> bool:
    """Whether a type has names of its own: a mapping, or one of several types that is one."""
    origin = get_origin(hint) or hint
    is_mapping = isinstance(origin, type) and issubclass(origin, Mapping)
    return is_mapping or any(takes_names(part) for part in get_args(hint))


def first_sentence(text: str) -> str:
    """The text up to its first full stop that ends a sentence."""
    return re.split(r"(?<=[.;])\s", text, maxsplit=1)[0].rstrip(".;")


def default_text(default: Any) -> str:
    """A default as a user would type it; an object is shown by its class alone."""
    if isinstance(default, (jsonargparse.Namespace, Mapping)) and "class_path" in default:
        return str(default["class_path"]).rpartition(".")[2]
    return " ".join(str(default).split())
