"""The files that are made of a benchmark's store: its tables and its pictures."""

from pathlib import Path

from cellxai.adapters.benchmark_pictures import draw_pictures
from cellxai.explain.results.store import Store
from cellxai.explain.tables.export import write_tables


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
