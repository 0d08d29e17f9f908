"""What the section about the benchmark says in words."""

from collections.abc import Mapping, Sequence
from math import isnan, nan

MOST_NAMED = 6  # in a sentence
ABOUT = {
    "truth": "On images whose label has a known cause: does the map find what truly moves the "
    "score?",
    "faithfulness": "Does the score of the class change where the map says that it should?",
    "localisation": "Overlap with marked regions. A mask says where cells are, not what the model "
    "used.",
    "sanity": "Does the map change when what the model has learned is destroyed?",
    "stability": "Does the map stay when nothing of substance changes? A map that never looks at "
    "the model is the most stable of all: here a control may well be the best, and that is no "
    "merit.",
    "validity": "How far the changed images that faithfulness is measured on lie from the known.",
    "complexity": "How few pixels hold the evidence. Sparse is easy to read, and may be wrong.",
}

Row = Mapping[str, str]


def sentence(answers: Sequence[str], methods: Sequence[str]) -> str:
    """Who beats the controls: ``lime and occlusion beat every control, 4 others do not``.

    Args:
        answers: Whether each beats every control.
        methods: Their names, best first.
    """
    winners = [name for name, one in zip(methods, answers, strict=True) if one == "yes"]
    untested = sum(one not in ("yes", "no") for one in answers)
    if untested == len(methods):
        return "nobody can be told from the controls: there are none, or too few images."
    beaten = len(methods) - len(winners) - untested
    told = f"{_listed(winners)} every control" if winners else "nobody beats every control"
    if winners and beaten:
        told += f", {beaten} other{' does' if beaten == 1 else 's do'} not"
    return told + (f"; {untested} could not be tested." if untested else ".")


def ranks_rest_on(row: Row) -> str:
    """How many images the ranks rest on, and whether they differ at all."""
    n_images, left_out = int(row["n_images"]), int(row["n_left_out"])
    told = f"over {n_images} image{'' if n_images == 1 else 's'}"
    told += f" ({left_out} more not complete)" if left_out else ""
    p, difference = real(row["friedman_p"]), real(row["critical_difference"])
    if isnan(p):
        return told
    shown = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    return f"{told}, Friedman {shown}, mean ranks differ beyond {difference:.1f}"


def real(text: str) -> float:
    """A number of a table; NaN where it is empty."""
    return float(text) if text else nan


def _listed(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} beats"
    if len(names) > MOST_NAMED:
        return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more beat"
    return f"{', '.join(names[:-1])} and {names[-1]} beat"
