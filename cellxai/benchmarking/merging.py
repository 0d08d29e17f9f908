"""``merge``: the shards of a benchmark in one file, and its tables."""

from dataclasses import dataclass
from pathlib import Path

from cellxai.benchmarking.pictures import draw_pictures
from cellxai.benchmarking.tables import write_tables
from cellxai.explain.benchmark.merging import merge_stores
from cellxai.explain.benchmark.shards import WHOLE, Shard, shard_files
from cellxai.explain.store import Store
from cellxai.runfolder import RunFolder


@dataclass(frozen=True)
class Merged:
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

    def __str__(self) -> str:
        lines = [
            f"{self.folder}: {self.new} rows of {len(self.files)} shards added, "
            f"{self.rows} in results.sqlite and its tables"
        ]
        return "\n".join(lines + [f"no file yet of shard {one.number}/{one.of}"
                                  for one in self.absent])  # fmt: skip


def merge(run: Path) -> Merged:
    """Joins the shards of a benchmark into one file and writes its tables; again changes nothing.

    Args:
        run: The run folder that `cellxai benchmark --shard i/n` wrote into.

    Raises:
        FileNotFoundError: If there is no shard.
        ValueError: If shards were made with different settings, or contradict each other.
    """
    folder = RunFolder(run).benchmark
    files = shard_files(folder)
    if not files:
        raise FileNotFoundError(
            f"{folder} holds no shard; run `cellxai benchmark --run {run} --shard 1/2` and the rest"
        )
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


def export(folder: Path, store: Store) -> None:
    """Writes the tables, and draws the pictures anew where a number has changed: they take seconds.

    Args:
        folder: Of the tables and pictures.
        store: The results.
    """
    pictures = folder / "pictures.json"
    before = contents(folder)
    write_tables(folder, store)
    if contents(folder) != before:
        pictures.unlink(missing_ok=True)  # killed while drawing, the next start draws them
    if not pictures.exists():
        draw_pictures(folder, store)


def contents(folder: Path) -> dict[str, bytes]:
    """What the tables of a folder say."""
    return {path.name: path.read_bytes() for path in folder.glob("*.csv")}
