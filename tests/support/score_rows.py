"""What ``score`` left on disk."""

from pathlib import Path

from cellxai.files.folder import read_csv


def rows_in(folder: Path) -> list[dict[str, str]]:
    """The rows of ``scores.csv``."""
    return read_csv(folder / "scores.csv")
