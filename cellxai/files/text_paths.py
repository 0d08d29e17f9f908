"""Functions that want paths and are given text: what Python's own functions take, too."""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

Result = TypeVar("Result")


def taking_text(function: Callable[..., Result]) -> Callable[..., Result]:
    """The function, with text for every path, also in settings; its help says so.

    Only where an annotation names a path: text elsewhere, such as the name of a part, stays text.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Result:
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(
                f"{function.__name__}: {error}; see help({function.__name__})"
            ) from None
        for name, value in given.arguments.items():
            given.arguments[name] = with_paths(value, signature.parameters[name].annotation)
        return function(*given.args, **given.kwargs)

    parameters = [shown(parameter) for parameter in signature.parameters.values()]
    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return called


def with_paths(value: Any, annotation: Any) -> Any:
    """The value with paths for text where the annotation names paths, and inside dataclasses."""
    if isinstance(value, str) and names_path(annotation) and str not in alternatives(annotation):
        return Path(value)
    if isinstance(value, dict):
        return {key: with_paths(entry, None) for key, entry in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed = {}
    for field in fields(value):
        before = getattr(value, field.name)
        after = with_paths(before, field.type)
        if field.init and after is not before:
            changed[field.name] = after
    return replace(value, **changed) if changed else value


def names_path(annotation: Any) -> bool:
    """Whether a path is what an annotation asks for, or one of several things."""
    return Path in alternatives(annotation)


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """What an annotation allows, one by one."""
    is_union = get_origin(annotation) in (Union, UnionType)
    return get_args(annotation) if is_union else (annotation,)


class Shown:
    """A default as help shows it: the class of long settings, without what each is set to.

    Args:
        value: The default.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"{type(self.value).__name__}()"


def shown(parameter: inspect.Parameter) -> inspect.Parameter:
    """A parameter as help shows it: text beside paths, long defaults by their class."""
    if names_path(parameter.annotation):
        parameter = parameter.replace(annotation=str | parameter.annotation)
    if is_dataclass(parameter.default):
        parameter = parameter.replace(default=Shown(parameter.default))
    return parameter
