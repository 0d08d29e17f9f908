"""Explainers, metrics and classes by name: what a user says, as what the code takes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from cellxai.explain.base import Explainer
from cellxai.explain.catalogue import every_explainer, every_metric, look_up
from cellxai.explain.metrics.base import ExplainerMetric, Metric

Kind = TypeVar("Kind")
if TYPE_CHECKING:
    Explainers = Sequence[str | Explainer] | Mapping[str, str | Explainer] | str | Explainer
    Judge = Metric | ExplainerMetric
    Metrics = Sequence[str | Judge] | Mapping[str, str | Judge] | str | Judge
else:  # what is wrong is answered by our own errors, also where tests check all types
    Explainers = Metrics = Any

DEFAULT_EXPLAINERS = ("lime", "integrated-gradients", "gradcam", "edges")
DEFAULT_METRICS = ("deletion", "insertion", "single-part-effect", "seed-stability", "gini")


def explainers_by_name(wanted: Explainers) -> dict[str, Explainer]:
    """Explainers by the names that their results bear.

    Raises:
        TypeError: If one is neither a name nor an explainer.
        ValueError: If a name is unknown, or there is none.
    """
    return _by_name(wanted, every_explainer, (Explainer,), "explainer")


def metrics_by_name(
    wanted: Metrics, regions: Iterable[str] = ()
) -> dict[str, Metric | ExplainerMetric]:
    """Metrics by the names that their results bear; localisation in the known regions.

    Raises:
        TypeError: If one is neither a name nor a metric.
        ValueError: If a name is unknown, or there is none.
    """
    return _by_name(wanted, partial(every_metric, regions), (Metric, ExplainerMetric), "metric")


def _by_name(
    wanted: object,
    catalogue: Callable[[], Mapping[str, Kind]],
    kinds: tuple[type, ...],
    kind: str,
) -> dict[str, Kind]:
    """What is asked for, by the name of the catalogue, of the mapping, or of its class."""
    if isinstance(wanted, Mapping):
        entries = list(wanted.items())
    else:
        entries = [(None, entry) for entry in _listed(wanted)]
    found: dict[str, Any] = {}
    # Who passes instances needs none of the catalogue's.
    is_asked = any(not isinstance(entry, kinds) for _, entry in entries) or not entries
    known = catalogue() if is_asked else {}
    for own_name, entry in entries:
        if isinstance(entry, str):
            name = look_up(entry, known, kind)
            value = known[name]
        elif isinstance(entry, kinds):
            value = entry
            name = _free_name(type(entry).__name__, found)
        else:
            raise TypeError(
                f"{kind}s holds {entry!r}, expected a name such as {next(iter(known))!r} or an "
                f"instance of {' or '.join(one.__name__ for one in kinds)}"
            )
        found[str(own_name) if own_name is not None else name] = value
    if not found:
        raise ValueError(f"{kind}s is empty; known: {', '.join(known)}")
    return found


def _listed(wanted: object) -> list[object]:
    if isinstance(wanted, str):
        return [name.strip() for name in wanted.split(",") if name.strip()]
    return list(wanted) if isinstance(wanted, Iterable) else [wanted]


def _free_name(name: str, taken: Iterable[str]) -> str:
    """The name of a class, numbered where another of its instances has it."""
    taken, number, free = set(taken), 2, name
    while free in taken:
        free, number = f"{name} {number}", number + 1
    return free


def read_targets(target: object, n_images: int, classes: Sequence[str] | None) -> list[int] | None:
    """The class to explain of each image, as a column; None for the predicted one.

    Args:
        target: Number or name of one class for all images, or one for each.
        n_images: How many images there are.
        classes: Names of the classes, if they are known.

    Raises:
        TypeError: If one is neither a number nor a name.
        ValueError: If there is no such class, or another number of them than of images.
    """
    if target is None:
        return None
    if not isinstance(target, str) and isinstance(target, Iterable):
        listed = [_column(entry, classes) for entry in target]
        if len(listed) != n_images:
            raise ValueError(
                f"target has {len(listed)} classes and there are {n_images} images; "
                "pass one for all or one for each"
            )
        return listed
    return [_column(target, classes)] * n_images


def _column(target: object, classes: Sequence[str] | None) -> int:
    if isinstance(target, str):
        if classes is None:
            raise ValueError(f"target={target!r} is a name; pass classes= with all names, in order")
        names = {look_up(target, classes, "class"): None}
        return list(classes).index(next(iter(names)))
    try:
        column = int(target)  # pyright: ignore[reportArgumentType]
        is_whole = column == target
    except (TypeError, ValueError):
        is_whole, column = False, 0
    if not is_whole:
        raise TypeError(f"target={target!r}: expected the number of a class, or its name")
    if column < 0:
        raise ValueError(f"target={column}: classes are counted from 0; pass target>=0")
    return column
