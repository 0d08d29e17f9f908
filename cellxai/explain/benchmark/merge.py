"""Results of several stores in one: shards of a benchmark, or what two machines computed."""

import math
from collections.abc import Mapping
from pathlib import Path

from cellxai.explain.results.rows import Answer, Key, ScoreRow
from cellxai.explain.results.store import Store


def merge_stores(into: Store, path: Path) -> int:
    """Adds what a store lacks from another one; returns how many rows were new.

    The same again adds nothing. A row that failed gives way to one that did not.

    Args:
        into: Where the results go.
        path: The file of the other, which is not changed.

    Raises:
        ValueError: If the two were made with different settings, models or images, or have
            different scores of one key.
    """
    other = Store(path)
    into.bind(other.settings(), list(other.measures().values()))
    rows, answers = {row.key: row for row in into.rows()}, _answers_by_key(into)
    new = [row for row in other.rows() if _is_new(row, rows, into, path)]
    wanted: dict[tuple[str, str, int], list[ScoreRow]] = {}
    for row in new:
        wanted.setdefault((row.image, row.explainer, row.seed), []).append(row)
    with into.keep_open():
        for key, answer in _answers_by_key(other).items():
            if key in wanted or key not in answers:
                into.write(wanted.pop(key, []), answer)
        into.write([row for left in wanted.values() for row in left], None, other.inapplicable())
    return len(new)


def _answers_by_key(store: Store) -> dict[tuple[str, str, int], Answer]:
    return {(answer.image, answer.explainer, answer.seed): answer for answer in store.answers()}


def _is_new(row: ScoreRow, known: Mapping[Key, ScoreRow], into: Store, path: Path) -> bool:
    """Whether a row adds something.

    Raises:
        ValueError: If it contradicts the one that is there.
    """
    old = known.get(row.key)
    if old is None or old.status == "failed":
        return old is None or row.status != "failed"
    if row.status == "failed":
        return False
    if row.value != old.value and not (math.isnan(row.value) and math.isnan(old.value)):
        raise ValueError(
            f"{path}: {row.explainer} under {row.metric} on {row.image} (seed {row.seed}) is "
            f"{row.value}, but {old.value} in {into.path}; remove the file that is wrong"
        )
    return False
