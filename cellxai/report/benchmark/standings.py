"""The benchmark at one look: every explainer in every family."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan, nan

from cellxai.report.benchmark.families import Family


@dataclass(frozen=True)
class Standing:
    """One explainer in all families.

    Args:
        explainer: Its name.
        control: Whether it knows nothing of the model.
        ranks: Its mean rank in each family; NaN where it has none.
        beats_controls: ``yes``, ``no``, ``untestable`` or empty in each.
    """

    explainer: str
    control: bool
    ranks: tuple[float, ...]
    beats_controls: tuple[str, ...]


def read_standings(families: Sequence[Family]) -> tuple[Standing, ...]:
    """Explainers by their rank in the first family, which can prove most; the controls last."""
    lines = [{line.explainer: line for line in family.lines} for family in families]
    names = dict.fromkeys(name for by_name in lines for name in by_name)
    standings = [
        Standing(
            name,
            next(by_name[name].control for by_name in lines if name in by_name),
            tuple(by_name[name].rank if name in by_name else nan for by_name in lines),
            tuple(by_name[name].beats_controls if name in by_name else "" for by_name in lines),
        )
        for name in names
    ]
    return tuple(sorted(standings, key=_order))


def _order(standing: Standing) -> tuple[bool, float, str]:
    rank = standing.ranks[0] if standing.ranks else nan
    return standing.control, inf if isnan(rank) else rank, standing.explainer
