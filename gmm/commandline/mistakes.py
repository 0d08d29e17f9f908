"""The line for a mistyped word: the nearest words that would have been right."""

import difflib
from collections.abc import Iterable

MOST_LISTED = 24  # more words than these are no help


def explain_mistake(problem: str, word: str, valid: Iterable[str], most: int = 3) -> str:
    """``problem``, then the nearest valid words, or all where few exist and none is near."""
    names = sorted(set(valid))
    near = nearest(word, names, most)
    if near:
        return f"{problem}; did you mean {' or '.join(near)}?"
    if 0 < len(names) <= MOST_LISTED:
        return f"{problem}; expected one of: {', '.join(names)}"
    return problem


def nearest(word: str, names: list[str], most: int) -> list[str]:
    """Names close to ``word``, by the whole dotted name first and by its last part otherwise."""
    whole = difflib.get_close_matches(word, names, n=most, cutoff=0.72)
    leaf = word.rsplit(".", 1)[-1]
    by_leaf = [name for name in names if name.rsplit(".", 1)[-1] == leaf and name != word]
    near_leaf = [
        name
        for close in difflib.get_close_matches(leaf, {n.rsplit(".", 1)[-1] for n in names}, n=1)
        for name in names
        if name.rsplit(".", 1)[-1] == close
    ]
    return list(dict.fromkeys([*whole, *by_leaf, *near_leaf]))[:most]
