"""The images that a user names: files, folders, patterns and tables."""

from collections.abc import Sequence
from pathlib import Path

from cellxai.data.csv_rows import read_rows
from cellxai.data.pixels.images import SUFFIXES
from cellxai.data.readers.image_files import find_files, records_of_files
from cellxai.data.records import Record


def records_named(names: Sequence[str]) -> list[Record]:
    """Records without a label of all images that the names mean, each file once.

    Raises:
        FileNotFoundError: If a table does not exist.
        ValueError: If a name means no image; names it.
    """
    files = {path.resolve(): None for name in names for path in files_of(name)}
    if not files:
        raise ValueError("images=[] names none; pass files, folders, patterns or CSV tables")
    return records_of_files(list(files))


def files_of(name: str) -> list[Path]:
    """The files that one name means.

    Raises:
        FileNotFoundError: If it is a table that does not exist.
        ValueError: If there is none.
    """
    path = Path(name)
    if path.suffix.lower() == ".csv":
        found = [path.parent / row["path"] for row in read_rows(path, ("path",)) if row["path"]]
    else:
        found = find_files(name) or images_below(path)
    if not found:
        raise ValueError(
            f"images={name!r} means no image; expected a file, a folder with images of "
            f"{', '.join(sorted(SUFFIXES))}, a pattern, or a CSV table with a column 'path'"
        )
    return found


def images_below(folder: Path) -> list[Path]:
    """The images in all sub-folders; files and folders that begin with a dot are passed over."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def key_of_file(path: Path) -> tuple[str, str]:
    """A file and when it was last changed, which is empty where there is none."""
    try:
        return str(path), str(path.stat().st_mtime_ns)
    except OSError:
        return str(path), ""
