"""The parser of one verb, built from a function's signature, with short help and errors."""

import argparse
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import jsonargparse
from jsonargparse import ActionConfigFile  # pyright: ignore[reportPrivateImportUsage]

from gmm.commandline.class_names import (
    base_classes,
    class_paths,
    explain_class,
    import_siblings,
)
from gmm.commandline.config_names import name_config
from gmm.commandline.help import group_asked, help_of
from gmm.commandline.mistakes import explain_mistake
from gmm.commandline.tables import table_of
from gmm.commandline.text import clip
from gmm.commandline.values import explain_value, name_type
from gmm.commandline.yaml_files import load_yaml

# How jsonargparse says that a name is unknown; the group is the name.
UNKNOWN_NAME = (
    re.compile(r"unrecognized arguments: (?:--)?([\w.]+)"),
    re.compile(r"Option '([\w.]+)' is not accepted"),
    re.compile(r"does not accept (?:option|nested key) '([\w.]+)'"),
    re.compile(r"Key '([\w.]+)' is not (?:expected|accepted)"),
)
UNKNOWN_CLASS = re.compile(r"given class_path '(?P<path>[\w.]+)':\s+(?P<why>[^\n]+)")
UNION_MISMATCH = re.compile(
    r'Parser key "[\w.]+":(?=\s+Does not validate against any of the Union)'
)
KEYS_OF_CLASS = ("class_path", "init_args")
PLAIN = (bool, int, float, str)
LONGEST_VALUE = 80  # characters of a value that an error shows
LONGEST_ERROR = 400  # characters; unions of types can print a page


def arguments_of(prog: str, function: Callable[..., Any], words: Sequence[str]) -> dict[str, Any]:
    """The arguments of ``function``, parsed from words and configs, with every object built.

    Raises:
        ValueError: If a word, key, value or class is wrong; one line, with the nearest right one.
        SystemExit: After ``--help`` or ``--print_config``.
    """
    parser = parser_of(prog, function)
    if group := group_asked(words):  # help without a group is jsonargparse's to print
        print(help_of(prog, table_of(parser, parser.required_names), group))
        raise SystemExit(0)
    with name_config(words):
        return parse_words(parser, words)


def parse_words(parser: "VerbParser", words: Sequence[str]) -> dict[str, Any]:
    """The arguments in words and configs; classes are looked for where one is not known.

    Raises:
        ValueError: If a word, key, value or class is wrong; one line, with the nearest right one.
    """
    bases = base_classes(parser)
    words = with_whole_names(words, bases)
    try:
        return build(parser, words)
    except ModuleNotFoundError as error:
        raise ValueError(explain_module(error.name or str(error))) from error
    except argparse.ArgumentError as error:
        if explain_class(str(error), bases) is None:
            raise ValueError(shorten_error(str(error), option_names(parser))) from error
    for base in bases.values():
        import_siblings(base)
    try:
        return build(parser, words)
    except argparse.ArgumentError as error:
        line = explain_class(str(error), bases)
        raise ValueError(line or shorten_error(str(error), option_names(parser))) from error


def refuse_repeated(words: Sequence[str]) -> None:
    """Raises ``ValueError`` for an option with two values, of which the last would count."""
    given: dict[str, str] = {}
    for word, following in zip(words, [*words, ""][1:], strict=True):
        option, equals, value = word.partition("=")
        if not option.startswith("--") or option == "--config" or option.endswith("+"):
            continue
        value = value if equals else following
        if given.setdefault(option, value) != value:
            raise ValueError(f"{option} is given twice, {given[option]} and {value}; give it once")


def with_whole_names(words: Sequence[str], bases: dict[str, type]) -> list[str]:
    """The words, with the short name of a class behind ``--OPTION.help`` written out."""
    whole = list(words)
    for place, word in enumerate(words[1:], start=1):
        base = bases.get(words[place - 1].removeprefix("--").removesuffix(".help"))
        if base is not None and words[place - 1].endswith(".help") and "." not in word:
            import_siblings(base)
            whole[place] = class_paths(base).get(word, word)
    return whole


def build(parser: "VerbParser", words: Sequence[str]) -> dict[str, Any]:
    """The arguments in words and configs, with every object built.

    Raises:
        ValueError: If a class or a group of settings cannot be built of its values.
    """
    parsed = parser.parse_args(without_empty_configs(words))
    refuse_odd_groups(parser, parsed)
    refuse_null_values(parser, parsed)
    try:
        arguments = vars(parser.instantiate(parsed))
    except (TypeError, AttributeError, ArithmeticError, LookupError) as error:
        # Of whoever checks less than jsonargparse lets through: what is wrong is a value.
        raise ValueError(
            f"a value of the options cannot be used ({type(error).__name__}: {error}); "
            "--print_config shows them all"
        ) from error
    return {name: value for name, value in arguments.items() if name != "config"}


def without_empty_configs(words: Sequence[str]) -> list[str]:
    """The words without the configs that say nothing.

    Raises:
        ValueError: If one of the others is no config; jsonargparse would not say which.
    """
    kept: list[str] = []
    given = iter(words)
    for word in given:
        option, equals, name = word.partition("=")
        if option != "--config":
            kept.append(word)
            continue
        name = name if equals else next(given, "")
        if not Path(name).exists() or name == "":  # a mistake that jsonargparse explains
            kept += [option, name] if name else [option]
            continue
        content = load_yaml(Path(name))
        if content is not None and not isinstance(content, dict):
            kind = type(content).__name__
            raise ValueError(f"{name}: expected a mapping of options, got a {kind}")
        kept += [option, name] if content else []
    return kept


def refuse_odd_groups(parser: "VerbParser", parsed: jsonargparse.Namespace) -> None:
    """Raises ``ValueError`` where a config has one value in the place of a group of options."""
    groups = {a.dest for a in parser._actions if type(a).__name__ == "_ActionConfigLoad"}
    for name in sorted(groups):
        value = parsed.get(name, {})
        if not isinstance(value, jsonargparse.Namespace | dict):
            shown = "null" if value is None else clip(str(value), LONGEST_VALUE)
            raise ValueError(f"{name}={shown}: expected its options; leave it out for its defaults")


def refuse_null_values(parser: "VerbParser", parsed: jsonargparse.Namespace) -> None:
    """Raises ``ValueError`` where a number, word or switch is null and there is no such value."""
    for action in parser._actions:
        hint = getattr(action, "_typehint", None)
        kind = hint if isinstance(hint, type) else None
        if kind in PLAIN and action.default is not None and parsed.get(action.dest, 0) is None:
            raise ValueError(
                f"{action.dest}=null: expected {name_type(kind.__name__)}; leave it out for its "
                "default"
            )


def parser_of(prog: str, function: Callable[..., Any]) -> "VerbParser":
    """Options from the signature of a function, ``--config`` and ``--print_config`` beside them."""
    summary = (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ")
    parser = VerbParser(prog=prog, description=summary, exit_on_error=False, allow_abbrev=False)
    parser.add_argument(
        "--config", action=ActionConfigFile, help="YAML file of options, repeatable"
    )
    parser.add_function_arguments(function, fail_untyped=True)
    parameters = inspect.signature(function).parameters.values()
    parser.required_names = frozenset(
        parameter.name for parameter in parameters if parameter.default is parameter.empty
    )
    return parser


class VerbParser(jsonargparse.ArgumentParser):
    """A parser whose help fits a screen."""

    required_names: frozenset[str] = frozenset()  # jsonargparse names them in an error alone

    def format_help(self) -> str:
        """The summary and a line for each option or group of options."""
        return help_of(self.prog, table_of(self, self.required_names))


def option_names(parser: jsonargparse.ArgumentParser) -> list[str]:
    """Dotted names of all options, without dashes."""
    return [
        option[2:]
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--") and not option.endswith(".help")
    ]


def shorten_error(message: str, options: list[str]) -> str:
    """An error of jsonargparse as one line that names the nearest valid names."""
    chosen = UNKNOWN_CLASS.search(message)
    union = UNION_MISMATCH.match(message)
    if not (union and chosen) and (line := explain_value(message)):
        return line
    # For a union, jsonargparse lists all that it tried; a class that was named is what was meant.
    text = f"{union[0]} {chosen[0]}" if union and chosen else message
    text = clip(" ".join(text.split()), LONGEST_ERROR)
    for pattern in UNKNOWN_NAME:
        if match := pattern.search(message):
            if chosen and match[1] == KEYS_OF_CLASS[0]:  # so it was not read as a class
                return f"{text}; beside class_path stands a key that is not init_args"
            inside = [*options_of_class(chosen["path"]), *KEYS_OF_CLASS] if chosen else options
            return explain_mistake(text, match[1], inside)
    if chosen and "has no attribute" in chosen["why"]:
        module, _, name = chosen["path"].rpartition(".")
        try:
            return explain_mistake(text, name, public_classes(module))
        except ModuleNotFoundError as error:
            return explain_module(error.name or module)
    return text


def options_of_class(class_path: str) -> list[str]:
    """Names of the arguments that a class takes."""
    module, _, name = class_path.rpartition(".")
    return list(inspect.signature(getattr(importlib.import_module(module), name)).parameters)


def public_classes(module: str) -> Iterable[str]:
    """Names of the classes that a module defines, or that a package offers."""
    return [
        name
        for name, value in vars(importlib.import_module(module)).items()
        if inspect.isclass(value)
        and not name.startswith("_")
        and f"{value.__module__}.".startswith(f"{module}.")
    ]


def explain_module(name: str) -> str:
    """The line for a module that does not exist, with the nearest ones beside it."""
    parent, _, _ = name.rpartition(".")
    where = importlib.import_module(parent).__path__ if parent else None
    prefix = f"{parent}." if parent else ""
    beside = [prefix + module.name for module in iter_modules(where)]
    return explain_mistake(f"no module is named {name!r}", name, beside)
