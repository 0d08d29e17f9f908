"""Explainers of any ``images → scores`` model, and the measures that judge them.

``from cellxai.explain import explain, measure, compare`` is all that a model of your own needs.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellxai.explain.my_model.comparing import compare
    from cellxai.explain.my_model.explaining import explain
    from cellxai.explain.my_model.measuring import measure

__all__ = ["compare", "explain", "measure"]

ROOMS = {"compare": "comparing", "explain": "explaining", "measure": "measuring"}


def __getattr__(name: str) -> Any:
    """The three functions, imported when they are first named: torch takes seconds."""
    if name not in ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.my_model.{ROOMS[name]}"), name)


def __dir__() -> list[str]:
    """The functions beside the rooms: without them no editor would offer them."""
    return sorted({*globals(), *__all__})
