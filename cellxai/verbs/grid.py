"""``grid``: one run for each combination of settings, and a table of them all."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console

from cellxai.files.folder import write_csv
from cellxai.files.frame import Frame
from cellxai.files.identity import hash_json
from cellxai.files.returned import Returned
from cellxai.training.settings import Device
from cellxai.verbs.evaluate import evaluate_once
from cellxai.verbs.fit import fit
from cellxai.verbs.runs import RunTable, runs
from gmm.commandline.parser import arguments_of
from gmm.commandline.program import to_one_line
from gmm.commandline.trust import trust_own_words

LONGEST_NAME = 100  # letters of a folder; file systems have room for 255
FAILED = 3  # exit code: neither a success nor a mistake in the command


@dataclass(frozen=True)
class Grid(Returned):
    """What ``grid`` trained.

    Args:
        table: All runs of the folder.
        failures: Why a combination has no judged run, by its name.
    """

    table: RunTable
    failures: Mapping[str, str]

    @property
    def exit_code(self) -> int:
        """0, or 3 where a combination failed."""
        return FAILED if self.failures else 0

    def to_frame(self) -> Frame:
        """A row per run, as text."""
        return self.table.to_frame()

    def __str__(self) -> str:
        failed = [f"failed: {name}: {reason}" for name, reason in self.failures.items()]
        return "\n".join([str(self.table), *failed])


def grid(base: Path, vary: dict[str, list[Any]], out: Path, device: Device = "auto") -> Grid:
    """Trains and judges one run for each combination of settings; a killed call continues.

    Each combination is a run folder in ``out``, named for what it varies, that all other verbs
    take; the same call again does only what is missing. One that fails costs one line, in the end
    and in ``grid.csv``, and no other. ``runs.csv`` has the table that `cellxai runs` writes.

    Args:
        base: A config of `cellxai fit`.
        vary: Values by dotted option, as on the command line of `fit`:
            ``training.optimiser.learning_rate: [0.001, 0.0003]``. An option with one value is the
            same in all runs.
        out: Folder of the runs.
        device: Where to judge; where to train is ``training.device``.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If an option has no value.
    """
    if not base.is_file():
        raise FileNotFoundError(f"base={base}: no such file, expected a config of `cellxai fit`")
    trust_own_words(["--config", str(base)], [])
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    combinations, failures = combine(vary), {}
    for number, (name, settings) in enumerate(combinations.items(), 1):
        try:
            line = str(fit_combination(base, settings, out / name, device))
        except Exception as error:  # whatever the settings make of it: the others go on
            failures[name] = to_one_line(error)
            line = f"{out / name}: failed: {failures[name]}"
        console.print(f"{number}/{len(combinations)} {line}", markup=False)
    write_csv(out / "grid.csv", grid_rows(combinations, failures))
    return Grid(runs(out), failures)


def combine(vary: Mapping[str, Sequence[Any]]) -> dict[str, dict[str, Any]]:
    """The settings of each combination by the name of its run.

    Raises:
        ValueError: If an option has no value, or there is no option.
    """
    if not vary:
        raise ValueError("vary={}: expected at least one option with its values")
    for option, values in vary.items():
        if not values:
            raise ValueError(f"vary: {option} has no value, expected at least one")
    combinations = [dict(zip(vary, values, strict=True)) for values in product(*vary.values())]
    return {name_of(settings, vary): settings for settings in combinations}


def name_of(settings: Mapping[str, Any], vary: Mapping[str, Sequence[Any]]) -> str:
    """A folder's name for what a combination varies, such as ``learning_rate-0.001``."""
    last = [option.rpartition(".")[2] for option in settings]
    words = []
    for option, value in settings.items():
        short = option.rpartition(".")[2]
        if len(vary[option]) > 1 or len(settings) == 1:
            words.append(f"{short if last.count(short) == 1 else option}-{value}")
    whole = "_".join(words)
    name = re.sub(r"[^\w.+-]+", "_", whole).strip("_.")
    if name == whole and 0 < len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME] or 'run'}-{hash_json(dict(settings))[:8]}"


def fit_combination(base: Path, settings: Mapping[str, Any], run: Path, device: Device) -> object:
    """Trains one combination and judges it, unless that was done before."""
    words = ["--config", str(base), "--run", str(run)]
    for option, value in settings.items():
        words += [f"--{option}", value if isinstance(value, str) else json.dumps(value)]
    fitted = fit(**arguments_of("cellxai grid", fit, words))
    evaluate_once(run, device)
    return fitted


def grid_rows(
    combinations: Mapping[str, Mapping[str, Any]], failures: Mapping[str, str]
) -> list[dict[str, Any]]:
    """One row per combination: its run, its settings, and why it failed if it did."""
    return [
        {"run": name, **settings, "failure": failures.get(name, "")}
        for name, settings in combinations.items()
    ]
