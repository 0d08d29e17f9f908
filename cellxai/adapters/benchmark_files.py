"""The files that are made of a benchmark's store: its tables and its pictures."""

from pathlib import Path

from cellxai.adapters.benchmark_pictures import draw_pictures
from cellxai.explain.results.store import Store
from cellxai.explain.tables.export import write_tables


def export(folder: Path, store: Store) -> None:
    """Writes the tables, and draws the pictures anew where a number has changed: they take seconds.

    Args:
        folder: Where the tables and pictures go.
        store: The results.
    """
    pictures = folder / "pictures.json"
    before = read_tables(folder)
    write_tables(folder, store)
    if read_tables(folder) != before:
        pictures.unlink(missing_ok=True)  # killed while drawing, the next start draws them
    if not pictures.exists():
        draw_pictures(folder, store)


def read_tables(folder: Path) -> dict[str, bytes]:
    """Contents of the tables of a folder, by file name."""
    return {path.name: path.read_bytes() for path in folder.glob("*.csv")}
