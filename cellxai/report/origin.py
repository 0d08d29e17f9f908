"""Where the run comes from: the head of the page, and how to rerun it."""

import shlex
from dataclasses import dataclass
from typing import Any

from cellxai.files.folder import RunFolder
from cellxai.report.printed_numbers import DASH, decimal, duration
from cellxai.report.saved_files import attempt, dig, read_json, read_rows, read_yaml

MOST_CLASSES = 8  # named in the head of the page
N_FINGERPRINT = 20  # letters that the page shows


@dataclass(frozen=True)
class Origin:
    """What made the run.

    Args:
        subject: What was trained on what, in one line for the head of the page.
        facts: Name and value, for the end of the page.
        versions: Name and version of each package.
        command: The command as it was typed; empty if not recorded.
        config: The text of ``config.yaml``.
        problems: Files that could not be read, one line each.
    """

    subject: str
    facts: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    command: str
    config: str
    problems: tuple[str, ...]


def read_origin(folder: RunFolder) -> Origin:
    """Reads config and environment; either may be broken, the environment may be missing."""
    config, config_problem = attempt(folder.config, lambda: read_yaml(folder.config))
    saved, saved_problem = attempt(folder.environment, lambda: read_json(folder.environment))
    return Origin(
        subject=_subject(config, saved, folder),
        facts=_facts(config, saved),
        versions=_pairs(dig(saved, "versions")),
        command=_command(dig(saved, "command")),
        config=folder.config.read_text(encoding="utf-8", errors="replace"),
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
        ("training took", _duration(dig(saved, "seconds"))),
        ("device", dig(saved, "device")),
        ("seed", dig(saved, "seed") if dig(config, "seed") is None else dig(config, "seed")),
        ("revision of the code", dig(saved, "git_revision")),
    )
    return tuple((name, str(value)) for name, value in facts if value not in (None, "", DASH))


def _subject(config: Any, saved: Any, folder: RunFolder) -> str:
    """``tf_efficientnetv2_b0 on 600 synthetic images of 3 classes: astro, cort``."""
    network = dig(config, "model", "backbone", "init_args", "name") or "An image classifier"
    rows, _ = attempt(folder.split, lambda: read_rows(folder.split))
    if not rows:
        return f"{network}, trained by cellxai."
    classes = sorted({str(row.get("label")) for row in rows})
    named = f": {', '.join(classes)}" if len(classes) <= MOST_CLASSES else ""
    kind = "synthetic images" if dig(saved, "data", "synthetic") else "images"
    return f"{network} on {len(rows)} {kind} of {len(classes)} classes{named}."


def _duration(seconds: Any) -> str | None:
    return duration(seconds) if isinstance(seconds, int | float) else None


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
