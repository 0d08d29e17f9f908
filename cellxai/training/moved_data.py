"""Where the data set of a run lies now, if it has moved since the training."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

OPTION = "--data."
_moved: dict[str, Any] = {}


def move_data(**arguments: Any) -> None:
    """Other arguments for the data sets of the runs that are read, until the process ends.

    Args:
        arguments: Such as ``root``: the folder that the images lie in now.
    """
    _moved.clear()
    _moved.update(arguments)


def take_moved_data(words: Sequence[str], verb: Callable[..., Any]) -> list[str]:
    """The words without ``--data.root`` and its like, which change the run's own data set.

    Of a verb that has no run, and where a data set of its own is named, they are left as they are.

    Args:
        words: Those after the verb.
        verb: Its function.
    """
    options = [word.partition("=")[0] for word in words]
    parameters = inspect.signature(verb).parameters
    own = "data" in parameters and parameters["data"].default is None
    named = {"--data", "--config", "--data.class_path"} & {*options}
    if "run" not in parameters or (own and named) or ("data" in parameters and not own):
        return list(words)
    rest: list[str] = []
    given = iter(words)
    moved: dict[str, Any] = {}
    for word in given:
        option, equals, value = word.partition("=")
        if not option.startswith(OPTION) or option.endswith("help"):
            rest.append(word)
            continue
        name = option.removeprefix(OPTION).removeprefix("init_args.")
        moved[name] = yaml.safe_load(value if equals else next(given, ""))
    move_data(**moved)
    return rest


def with_moved_data(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The config of a run with the arguments of its data set as they are now.

    Args:
        config: Its plain values.
        where: Its file, for the message.

    Raises:
        ValueError: If the data set has no such argument.
    """
    changed = dict(config)
    for name, value in _moved.items():
        if not has_argument(changed.get("data"), name):
            raise ValueError(f"data.{name}={value}: the data set of {where} has no such argument")
        changed["data"] = replace_argument(changed["data"], name, value)
    return changed


def has_argument(source: Any, name: str) -> bool:
    """Whether a data set in plain values, or one inside it, has an argument."""
    arguments = source.get("init_args") if isinstance(source, Mapping) else None
    if not isinstance(arguments, Mapping):
        return False
    return name in arguments or any(has_argument(part, name) for part in arguments.values())


def replace_argument(source: Any, name: str, value: Any) -> Any:
    """A data set in plain values with another argument; one inside another has it, too."""
    arguments = source.get("init_args") if isinstance(source, Mapping) else None
    if not isinstance(arguments, Mapping):
        return source
    if name in arguments:
        return {**source, "init_args": {**arguments, name: value}}
    inner = {key: replace_argument(part, name, value) for key, part in arguments.items()}
    return {**source, "init_args": inner}
