"""The images that a user names: files, folders, patterns and tables."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cellxai.data.csv_rows import read_rows
from cellxai.data.formats.suffixes import SUFFIXES, is_image, is_image_folder
from cellxai.data.readers.unlabelled import find_files, records_of_files
from cellxai.data.records import Columns, Record


def find_records(names: Sequence[str]) -> list[Record]:
    """Records without a label of all images that the names stand for, each file once.

    Raises:
        FileNotFoundError: If a table does not exist.
        ValueError: If a name stands for no image; the message quotes it.
    """
    files = {path.resolve(): None for name in names for path in expand_name(name)}
    if not files:
        raise ValueError("images=[] names no image; pass files, folders, patterns or CSV tables")
    columns = read_columns(names)
    return [
        replace(record, columns=columns.get(record.path, Columns()))
        for record in records_of_files(list(files))
    ]


def read_columns(names: Sequence[str]) -> dict[Path, Columns]:
    """What the tables among the names say of each file beside its path, by the resolved path.

    Raises:
        FileNotFoundError: If a table does not exist.
        ValueError: If a table is no CSV text.
    """
    columns: dict[Path, Columns] = {}
    for table in (Path(name) for name in names if name.lower().endswith(".csv")):
        for row in read_rows(table, ("path",)):
            if row["path"] and not row.damage:
                own = {name: cell for name, cell in row.cells.items() if name not in ("", "path")}
                columns[(table.parent / row["path"]).resolve()] = Columns(own)
    return columns


def expand_name(name: str) -> list[Path]:
    """The files that one name stands for.

    Raises:
        FileNotFoundError: If it is a table that does not exist.
        ValueError: If there is no file.
    """
    path = Path(name)
    if path.suffix.lower() == ".csv":
        files = [path.parent / row["path"] for row in read_rows(path, ("path",)) if row["path"]]
    else:
        below = path.is_dir() and not is_image_folder(path)
        files = find_images_below(path) if below else find_files(name)
    if not files:
        raise ValueError(
            f"images={name!r} means no image; expected a file, a folder with images of "
            f"{', '.join(sorted(SUFFIXES))}, a pattern, or a CSV table with a column 'path'"
        )
    return files


def find_images_below(folder: Path) -> list[Path]:
    """The images in a folder and its sub-folders; names that begin with a dot are skipped."""
    return sorted(
        path
        for path in folder.rglob("*")
        if is_image(path)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not any(is_image_folder(parent) for parent in path.parents)
    )
