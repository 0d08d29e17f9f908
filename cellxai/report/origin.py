"""Where the run comes from: the head of the page, and how to rerun it."""

import shlex
from dataclasses import dataclass
from typing import Any

from cellxai.files.folder import RunFolder
from cellxai.report.pieces import Card
from cellxai.report.printed_numbers import DASH, decimal, duration
from cellxai.report.saved_files import attempt, dig, read_json, read_yaml

N_FINGERPRINT = 20  # letters that the page shows


@dataclass(frozen=True)
class Origin:
    """What made the run.

    Args:
        facts: Name and value, for the head of the page.
        versions: Name and version of each package.
        command: The command as it was typed; empty if not recorded.
        config: The text of ``config.yaml``.
        cards: Its figures for the top of the page.
        problems: Files that could not be read, one line each.
    """

    facts: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    command: str
    config: str
    cards: tuple[Card, ...]
    problems: tuple[str, ...]


def read_origin(folder: RunFolder) -> Origin:
    """Reads config and environment; either may be broken, the environment may be missing."""
    config, config_problem = attempt(folder.config, lambda: read_yaml(folder.config))
    saved, saved_problem = attempt(folder.environment, lambda: read_json(folder.environment))
    return Origin(
        facts=_facts(config, saved),
        versions=_pairs(dig(saved, "versions")),
        command=_command(dig(saved, "command")),
        config=folder.config.read_text(encoding="utf-8", errors="replace"),
        cards=_cards(saved),
        problems=tuple(problem for problem in (config_problem, saved_problem) if problem),
    )


def _facts(config: Any, saved: Any) -> tuple[tuple[str, str], ...]:
    data = str(dig(config, "data", "class_path") or DASH).rpartition(".")[2]
    settings = ", ".join(
        f"{name}: {value}" for name, value in _pairs(dig(config, "data", "init_args"))
    )
    facts = (
        ("network", dig(config, "model", "backbone", "init_args", "name")),
        ("parameters", _number(dig(saved, "n_parameters"))),
        ("data", f"{data} ({settings})" if settings else data),
        ("data fingerprint", _short(dig(saved, "data", "fingerprint"))),
        ("made", dig(saved, "created")),
        ("device", dig(saved, "device")),
        ("seed", dig(saved, "seed") if dig(config, "seed") is None else dig(config, "seed")),
        ("revision of the code", dig(saved, "git_revision")),
    )
    return tuple((name, str(value)) for name, value in facts if value not in (None, "", DASH))


def _cards(saved: Any) -> tuple[Card, ...]:
    seconds = dig(saved, "seconds")
    if not isinstance(seconds, int | float):
        return ()
    return (
        Card("Training took", duration(seconds), f"on {dig(saved, 'device') or 'this machine'}"),
    )


def _short(fingerprint: Any) -> str:
    """The start of a fingerprint: all of it is in environment.json."""
    text = str(fingerprint or "")
    return text if len(text) <= N_FINGERPRINT else f"{text[:N_FINGERPRINT]}…"


def _number(value: Any) -> str:
    return decimal(value, 0) if isinstance(value, int | float) else DASH


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    items = value.items() if isinstance(value, dict) else ()
    return tuple((str(name), str(item)) for name, item in items if item is not None)


def _command(value: Any) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else str(value or "")
