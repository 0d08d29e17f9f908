"""What a reader may ask next of a mixture: a line behind each verb's answer."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any


def what_next(verb: str, words: Sequence[str], arguments: Mapping[str, Any]) -> str:
    """What to do after a verb, in one line; empty where nothing follows.

    Args:
        verb: Its name.
        words: What was typed after it.
        arguments: What it was called with.
    """
    if verb not in ("fit", "sweep"):
        return ""
    mixture, samples = (shlex.quote(str(arguments[name])) for name in ("out", "x"))
    on = f"--mixture {mixture} --x {samples}"
    return f"gmm score {on} --out scores.csv   # which samples are rare; faster than the fit"
