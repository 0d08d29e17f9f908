"""Where everything about one run lies on disk, and how files get there whole or not at all."""

import csv
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gmm.files.atomic import atomic
from gmm.files.leftovers import TEMPORARY

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # `Path` makes one slash of two
CONFIG, ENVIRONMENT = "config.yaml", "environment.json"
OLD_TEMPORARY = re.compile(r"\.[^.]+\.\d+\.\w+")  # as versions before this named them


@dataclass(frozen=True)
class RunFolder:
    """The layout of a run folder: a name for every file that a verb writes and another reads.

    Args:
        root: The folder itself, usually ``runs/<name>``.

    Raises:
        ValueError: If it is an address on the network, or a folder in it is a link out of it.
    """

    root: Path

    def __post_init__(self) -> None:
        refuse_address("run", self.root)
        refuse_links_out(self.root)

    @property
    def config(self) -> Path:
        """The whole resolved config; ``cellxai fit --config`` reruns it."""
        return self.root / CONFIG

    @property
    def split(self) -> Path:
        """Which image belongs to which part."""
        return self.root / "split.csv"

    @property
    def environment(self) -> Path:
        """Versions, device, seeds and the fingerprint of the data."""
        return self.root / ENVIRONMENT

    @property
    def metrics(self) -> Path:
        """One row per epoch."""
        return self.root / "metrics.csv"

    @property
    def checkpoints(self) -> Path:
        """``best.ckpt`` and ``last.ckpt``."""
        return self.root / "checkpoints"

    @property
    def evaluation(self) -> Path:
        """Predictions, report and confusion matrix."""
        return self.root / "evaluation"

    @property
    def density(self) -> Path:
        """The mixture, the scores and their pictures."""
        return self.root / "density"

    @property
    def features(self) -> Path:
        """Features of images, a file per layer and data set."""
        return self.root / "features"

    @property
    def preview(self) -> Path:
        """What ``preview --out RUN/preview`` measured of the data set."""
        return self.root / "preview"

    @property
    def score(self) -> Path:
        """Scores of new images."""
        return self.root / "score"

    @property
    def explain(self) -> Path:
        """Maps and pictures of the explained images."""
        return self.root / "explain"

    @property
    def benchmark(self) -> Path:
        """``results.sqlite`` and the tables made from it."""
        return self.root / "benchmark"

    def benchmark_of(self, score: str) -> Path:
        """The benchmark of a score: a folder inside :attr:`benchmark`, except for the logit."""
        return self.benchmark if score == "logit" else self.benchmark / score

    @property
    def report(self) -> Path:
        """The self-contained page."""
        return self.root / "report" / "index.html"


def find_runs(folder: Path) -> list[Path]:
    """The run folders inside a folder, at any depth: what has a config and an environment."""
    found = (path.parent for path in sorted(folder.rglob(CONFIG)))
    return [path for path in found if (path / ENVIRONMENT).is_file()]


def as_paths(run: list[Path] | Path) -> list[Path]:
    """The folders that an option names which may be given several times."""
    return [Path(path) for path in run] if isinstance(run, list) else [Path(run)]


def refuse_address(option: str, path: Path) -> None:
    """Refuses an address on the network where a local path belongs.

    Lightning would fetch a checkpoint from there, and unpickle it.

    Raises:
        ValueError: Naming the option.
    """
    if ADDRESS.match(str(path)):
        raise ValueError(
            f"{option}={path}: an address is not taken, since a file from there could run code; "
            "fetch it yourself and pass the local path"
        )


def refuse_links_out(root: Path) -> None:
    """Refuses a folder of which a part lies elsewhere: what is written there would leave it.

    A folder that came from elsewhere could name any of the reader's own. The folder itself may be
    a link, which the user made; and a file that is one is replaced, not written through.

    Raises:
        ValueError: Naming the link.
    """
    inside = root.resolve()
    for place, folders, _ in os.walk(root):
        for path in (Path(place, name) for name in folders):
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                raise ValueError(
                    f"{path} is a link out of the run folder, to {path.resolve()}; results are not "
                    "written through it: move that folder here, or remove the link"
                )


def remove_leftovers(folder: RunFolder) -> None:
    """Removes the temporary files of writers that were killed; no other process may be writing."""
    for place in (folder.root, folder.checkpoints):
        for path in place.glob(".*"):
            is_temporary = TEMPORARY.fullmatch(path.name) or OLD_TEMPORARY.fullmatch(path.name)
            if is_temporary and path.is_file():
                path.unlink()


def write_json(path: Path, value: Any) -> None:
    """Writes ``value`` as indented JSON, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows of equal keys as CSV with a header, atomically.

    Raises:
        ValueError: If there is no row and therefore no header.
    """
    if not rows:
        raise ValueError(f"{path}: no row to write, expected at least one")
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file with a header, as strings."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        ValueError: If it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not valid JSON: {error}") from error
