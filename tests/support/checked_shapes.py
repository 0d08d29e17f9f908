"""Shapes and dtypes are checked while the tests run, without taking a third of their time.

The first calls of every function are checked, and one in ten of those that follow: what is called
ten thousand times is wrong in all of them, or for an input that the tests name on purpose.
"""

import ast
from collections.abc import Callable, Sequence
from functools import partial, wraps
from itertools import count
from types import FunctionType, ModuleType
from typing import Any
from unittest.mock import patch

from jaxtyping import install_import_hook, jaxtyped
from jaxtyping._import_hook import Typechecker, _JaxtypingLoader, _optimized_cache_from_source

ALL_OF_THE_FIRST = 30
ONE_OF = 10
NAME = "sampled2"  # of compiled modules; another one where what follows changes


def check_samples(checked: Any) -> Any:
    """A function whose calls are checked now and then; a class, or a method of one, as it is."""
    always = jaxtyped(typechecker=Typechecker.lookup["beartype"])(checked)
    return sample(checked, always) if isinstance(checked, FunctionType) else always


def sample(function: Callable[..., Any], checked: Callable[..., Any]) -> Callable[..., Any]:
    """The checked function on its first calls and on one of ten later ones, else the bare one."""
    calls = count()

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        n = next(calls)
        chosen = checked if n < ALL_OF_THE_FIRST or n % ONE_OF == 0 else function
        return chosen(*args, **kwargs)

    return call


def decorator(self: Typechecker) -> ast.expr:
    """``check_samples`` as a module finds it, which has imported jaxtyping and nothing else."""
    found = f"jaxtyping._import_hook.Typechecker.lookup['{NAME}']"
    return ast.parse(found, mode="eval").body


def exec_compiled(self: _JaxtypingLoader, module: ModuleType) -> None:
    """Runs a checked module; only its own bytecode, not that of its imports, has the hook's name.

    The hook's own method renames the bytecode of everything that is imported meanwhile too, so
    that torch and Lightning would be compiled again, which takes longer than to import them.
    """
    checked = partial(_optimized_cache_from_source, NAME)
    with patch("importlib._bootstrap_external.cache_from_source", checked):
        code = self.get_code(module.__name__)
    assert code is not None
    exec(code, module.__dict__)


def check_shapes(modules: Sequence[str]) -> None:
    """Checks the functions of modules that are imported from now on."""
    install_import_hook(list(modules), "beartype.beartype")
    (beartype,) = Typechecker.lookup.values()
    Typechecker.lookup |= {"beartype": beartype, NAME: check_samples}
    Typechecker.get_ast = decorator
    _JaxtypingLoader.exec_module = exec_compiled
