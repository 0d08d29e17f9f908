"""The classes that an option may name: those that lie beside their base class.

A short name such as ``Sartorius`` is enough where one class has it. Modules are imported only for a
name that no module imported so far explains, so that no other call waits for them.
"""

import dataclasses
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, get_args

import jsonargparse

from gmm.commandline.mistakes import explain_mistake

KEY = re.compile(r'Parser key "([\w.]+)"')
SHORT_NAME = re.compile(r"Expected a dot import path string: (\w+)(?![\w.])")
ABSTRACT = re.compile(r"Expected an instantiatable class, but ([\w.]+) is abstract")
ITEM_OF_NO_CLASS = re.compile(r"NestedArg\(key='([^'.]+)\.")  # of a dict of objects


def base_classes(parser: jsonargparse.ArgumentParser) -> dict[str, type]:
    """The base class of what each option takes, by the option's name."""
    bases = {
        action.dest: next(bases_in(getattr(action, "_typehint", None)), None)
        for action in parser._actions
    }
    return {name: base for name, base in bases.items() if base is not None}


def bases_in(hint: Any) -> Iterator[type]:
    """The classes to be extended in a type such as ``dict[str, Explainer] | None``."""
    if inspect.isclass(hint) and not get_args(hint) and is_extensible(hint):
        yield hint
    for part in get_args(hint):
        yield from bases_in(part)


def is_extensible(kind: type) -> bool:
    """Whether a class may have subclasses as values: abstract, or neither settings nor Python's."""
    package = kind.__module__.partition(".")[0]
    plain = dataclasses.is_dataclass(kind) or package in sys.stdlib_module_names
    return inspect.isabstract(kind) or not plain


def import_siblings(base: type) -> None:
    """Imports the public modules of the package that a base class lies in, and of its folders."""
    package = base.__module__.rpartition(".")[0]
    if not package:
        return
    path = importlib.import_module(package).__path__
    # Where a library that one of them needs is missing, the others still have their names.
    for module in pkgutil.walk_packages(path, f"{package}.", onerror=lambda _: None):
        if not module.name.rpartition(".")[2].startswith("_"):
            with suppress(ImportError):
                importlib.import_module(module.name)


def class_names(base: type, package: str | None = None) -> list[str]:
    """Short names of the public classes under a base class, as far as they are imported.

    Args:
        base: The class.
        package: Only classes of this package; ``None`` for all.
    """
    names = [name for child in base.__subclasses__() for name in class_names(child, package)]
    public = not inspect.isabstract(base) and not base.__name__.startswith("_")
    inside = package is None or f"{base.__module__}.".startswith(f"{package}.")
    return sorted({*names, base.__name__} if public and inside else names)


def class_paths(base: type) -> dict[str, str]:
    """The dotted name of each class under a base class by its short name, as far as imported."""
    paths = {base.__name__: f"{base.__module__}.{base.__qualname__}"}
    for child in base.__subclasses__():
        paths |= class_paths(child)
    return paths


def explain_class(message: str, bases: dict[str, type]) -> str | None:
    """The line for a class that is unknown or not named; ``None`` for any other mistake."""
    key = KEY.search(message)
    if key is None or key[1] not in bases:
        return None
    names = class_names(bases[key[1]])
    unknown, item = SHORT_NAME.search(message), ITEM_OF_NO_CLASS.search(message)
    if unknown and not item:
        return explain_mistake(f"{key[1]}: no class is named {unknown[1]!r}", unknown[1], names)
    if not item and not ABSTRACT.search(message):
        return None
    owner = f"{key[1]}.{item[1]}" if item and unknown else key[1]
    return f"{owner}: no class is named; first pass --{owner} with one of: {', '.join(names)}"
