"""Settings to YAML and back, so that a run folder records exactly what made it."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import jsonargparse
import yaml

from cellxai.files.folder import atomic
from gmm.commandline.trust import only_trusted_imports
from gmm.commandline.yaml_files import load_yaml

PLAIN = (str, int, float, bool, type(None))
Made = TypeVar("Made")
TOLD = "_told_by_config"  # the attribute that :func:`remember_arguments` sets


def as_config(value: Any) -> Any:
    """A settings object as plain values for YAML: ``class_path`` and ``init_args`` of a class.

    Every class that a config may name keeps the arguments of its ``__init__`` as attributes of the
    same name, as scikit-learn's estimators do; this is what makes it recordable. Classes of other
    libraries do not: for them, the words of the config are kept by :func:`remember_arguments`.

    Raises:
        ValueError: If an object did not keep an argument; names the class and the argument.
    """
    if isinstance(value, Enum):  # before strings, which some are too
        return value.name
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Path):
        return str(value.resolve())  # a run folder is read from any directory
    if isinstance(value, Mapping):
        return {str(key): as_config(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [as_config(item) for item in value]
    if inspect.isfunction(value):
        return f"{value.__module__}.{value.__qualname__}"
    if type(value).__module__ == "torch" and type(value).__name__ in ("device", "dtype"):
        return str(value)
    names = getattr(value, TOLD, None) or argument_names(type(value))
    arguments = {name: as_config(read_argument(value, name)) for name in names}
    if is_settings_group(type(value)):
        return arguments
    kind = type(value)
    return {"class_path": f"{kind.__module__}.{kind.__qualname__}", "init_args": arguments}


def is_settings_group(kind: type) -> bool:
    """Whether a class is a plain group of settings, written without ``class_path``.

    A dataclass with a parent of ours is a variant of that parent, so its name has to be recorded.
    """
    return dataclasses.is_dataclass(kind) and kind.__bases__ == (object,)


def argument_names(kind: type) -> list[str]:
    """Names of the arguments of a class's ``__init__``."""
    return [name for name in inspect.signature(kind).parameters if name != "self"]


def remember_arguments(class_type: type[Made], *args: Any, **kwargs: Any) -> Made:
    """Builds an object that keeps its arguments, to be recorded; for jsonargparse."""
    made = class_type(*args, **kwargs)
    object.__setattr__(made, TOLD, kwargs)  # the class may be a frozen one
    return made


def read_argument(value: Any, name: str) -> Any:
    """The attribute in which an object kept the argument ``name`` of its ``__init__``."""
    remembered = getattr(value, TOLD, {})
    try:
        return remembered[name] if name in remembered else getattr(value, name)
    except AttributeError:
        raise ValueError(
            f"{type(value).__name__} does not keep its argument {name!r}, so a run folder cannot "
            f"record it; set self.{name} = {name} in its __init__"
        ) from None


def refuse_null(group: str, settings: object, *names: str) -> None:
    """Refuses null where a group of settings or a class belongs.

    Raises:
        ValueError: Naming the option.
    """
    for name in names:
        if getattr(settings, name) is None:
            option = f"{group}.{name}" if group else name
            raise ValueError(
                f"{option}=null: expected its options; leave {option} out for its defaults"
            )


def write_config(path: Path, arguments: Mapping[str, Any]) -> None:
    """Writes the arguments of a verb as YAML that ``--config`` takes back."""
    text = yaml.safe_dump(as_config(arguments), sort_keys=False, allow_unicode=True)
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_config(path: Path) -> dict[str, Any]:
    """The plain values of a YAML file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a YAML mapping.
    """
    config = load_yaml(path)
    if not isinstance(config, dict):
        raise ValueError(f"{path}: expected a mapping of options, got {type(config).__name__}")
    return config


def build_arguments(
    function: Callable[..., Any],
    path: Path,
    without: Sequence[Sequence[str]] = (),
    change: Callable[[dict[str, Any], str], dict[str, Any]] = lambda config, _: config,
) -> dict[str, Any]:
    """The arguments of ``function`` as recorded in a YAML file, with every object built.

    The file may come from elsewhere, so it is :mod:`gmm.commandline.trust` that says which classes
    are imported because it names them.

    Args:
        function: What takes the arguments.
        path: The file.
        without: Lists that are taken as empty, each by its keys: what they name is not needed.
        change: Makes other plain values of those in the file, whose name it is told.

    Raises:
        ValueError: If a key, a value or a class in the file is not what ``function`` takes.
    """
    config = change(read_config(path), str(path))
    for keys in without:
        empty_list(config, keys)
    return build_from(function, config, str(path))


def build_from(function: Callable[..., Any], config: dict[str, Any], origin: str) -> dict[str, Any]:
    """The arguments of ``function`` from plain values, see :func:`build_arguments`.

    Args:
        function: What takes the arguments.
        config: The values.
        origin: Where they are from, for messages.

    Raises:
        ValueError: If a key, a value or a class is not what ``function`` takes.
    """
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_function_arguments(function)
    with only_trusted_imports(config, origin):
        try:
            return vars(parser.instantiate(parser.parse_object(config)))
        except (jsonargparse.ArgumentError, TypeError) as error:
            raise ValueError(f"{origin}: {' '.join(str(error).split())}") from error


def empty_list(config: dict[str, Any], keys: Sequence[str]) -> None:
    """Replaces a list in a nested config, if it is there, by an empty one."""
    for key in keys[:-1]:
        config = config.get(key) or {}
    if isinstance(config, dict) and keys[-1] in config:
        config[keys[-1]] = []
