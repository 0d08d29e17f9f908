"""``merge``: the shards of a benchmark in one file, and its tables."""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from cellxai.adapters.benchmark_files import export
from cellxai.adapters.explained_score import ScoreName
from cellxai.explain.benchmark.merge import merge_stores
from cellxai.explain.benchmark.shards import WHOLE, Shard, shard_files
from cellxai.explain.results.store import Store
from cellxai.files.folder import RunFolder
from cellxai.files.frame import Frame, read_frame
from cellxai.files.lock import file_lock
from cellxai.files.returned import Returned


@dataclass(frozen=True)
class Merged(Returned):
    """What ``merge`` found.

    Args:
        folder: Where results and tables lie.
        files: The files of shards.
        new: Rows that were added to ``results.sqlite``.
        rows: Rows that are there now.
        absent: Shards that have no file yet.
    """

    folder: Path
    files: tuple[Path, ...]
    new: int
    rows: int
    absent: tuple[Shard, ...]

    def to_frame(self) -> Frame:
        """A row per metric and explainer, with the mean over images and its interval."""
        return read_frame(self.folder / "table.csv")

    def __str__(self) -> str:
        lines = [
            f"{self.folder}: {self.new} rows of {len(self.files)} shards added, "
            f"{self.rows} in results.sqlite and its tables"
        ]
        lines += [f"no file yet of shard {shard.number}/{shard.of}" for shard in self.absent]
        return "\n".join(lines)


def merge(run: Path, score: str = "logit") -> Merged:
    """Joins the shards of a benchmark into one file and writes its tables.

    A second call changes nothing.

    Args:
        run: The run folder that `cellxai benchmark --shard i/n` wrote into.
        score: What was explained there: logit, probability, log_odds or density; of a Score
            of your own the name of its class.

    Raises:
        FileNotFoundError: If there is no shard.
        ValueError: If shards were made with different settings, or contradict each other, or
            another process writes the results.
    """
    folder = RunFolder(run).benchmark_of(score)
    files = shard_files(folder)
    if not files:
        command = command_for("benchmark", run, score)
        ours = score in get_args(ScoreName)  # --score takes another by its class_path
        way_out = f"run `{command} --shard 1/2`" if ours else f"benchmark {score} with --shard 1/2"
        raise FileNotFoundError(f"{folder} holds no shard; {way_out} and the rest")
    with file_lock(folder / WHOLE.file, "written", "merge again when it is done"):
        store = Store(folder / WHOLE.file)
        new = sum(merge_stores(store, path) for path in files.values())
        export(folder, store)
    counts = {shard.of for shard in files}
    absent = [Shard(i, n) for n in sorted(counts) for i in range(1, n + 1)]
    return Merged(
        folder,
        tuple(files.values()),
        new,
        len(store.rows()),
        tuple(shard for shard in absent if shard not in files),
    )


def command_for(verb: str, run: Path, score: str) -> str:
    """The command that runs a verb on the benchmark of a score."""
    return f"cellxai {verb} --run {run}" + ("" if score == "logit" else f" --score {score}")
