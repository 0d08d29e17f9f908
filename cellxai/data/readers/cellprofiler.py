"""Tables of images as CellProfiler writes them: a row per site, columns for each channel's file."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from os.path import commonpath
from pathlib import Path, PurePath, PureWindowsPath

from cellxai.data.csv_rows import TableRow, read_rows, table_faults, table_notes
from cellxai.data.readers.sites import Site, join_sites
from cellxai.data.records import Fault, Scan, Source

FILE, FOLDER, METADATA = "FileName_", "PathName_", "Metadata_"


@dataclass(frozen=True)
class CellProfilerImages(Source):
    """Images that an ``Image.csv`` lists, a row per site, the files of its channels joined.

    Columns ``FileName_DNA`` and ``PathName_DNA`` say where channel DNA lies; those that begin with
    ``Metadata_`` stay with the image, without that and in lower case: ``Metadata_Plate`` is
    ``plate``. Measurements are not read.

    Args:
        table: The CSV file.
        channels: The channel of each plane, by the name that it is to have, in order:
            ``{nuclei: DNA, actin: AGP}``. ``null`` for all, as named and in the table's order.
        labels: A CSV table with the class of each well, or site: columns named as some metadata,
            such as ``plate`` and ``well``, by which its rows are looked up, and any others, which
            stay with the images. ``null`` where a column of metadata is the class.
        label: Name of the column that is the class.
        root: Where the files lie now: it takes the place of what all ``PathName_`` have in common.
            ``null`` where they are still there; relative ones start at the table.
    """

    table: Path
    channels: dict[str, str] | None = field(default=None)
    labels: Path | None = None
    label: str = "label"
    root: Path | None = None

    def scan(self) -> Scan:
        """One record per row whose channels are all there.

        Raises:
            FileNotFoundError: If a table does not exist.
            ValueError: If it has no file of a channel, or nothing says the class.
        """
        every = read_rows(self.table, ())
        rows = [row for row in every if not row.damage]
        header = list(every[0].cells) if every else []
        channels = self._channels(header)
        folders = [row[FOLDER + name] for row in rows for name in channels.values()]
        shared = shared_folder(folders) if self.root is not None else None
        sites: list[Site] = []
        faults: list[Fault] = table_faults(self.table, every)
        for row in rows:
            blank = [name for name in channels.values() if not row[FILE + name]]
            if blank:
                faults.append(Fault(row.where, f"{FILE}{blank[0]} is blank, expected a file"))
                continue
            files = {plane: self._file(row, name, shared) for plane, name in channels.items()}
            sites.append(Site(row.where, metadata_of(row), files))
        scan = join_sites(sites, self.labels, self.label)
        notes = (*scan.notes, *table_notes(every))
        return replace(scan, faults=(*faults, *scan.faults), notes=notes)

    def _channels(self, header: Sequence[str]) -> dict[str, str]:
        there = [name.removeprefix(FILE) for name in header if name.startswith(FILE)]
        if not there:
            got = ", ".join(header)[:200] or "none"
            raise ValueError(
                f"{self.table}: no column {FILE}…, expected one per channel, got {got}"
            )
        wanted = self.channels or dict(zip(there, there, strict=True))
        for name in wanted.values():
            if name not in there:
                raise ValueError(
                    f"{self.table}: no column '{FILE}{name}'; its channels are {', '.join(there)}"
                )
        return wanted

    def _file(self, row: TableRow, channel: str, shared: PurePath | None) -> Path:
        folder, name = row[FOLDER + channel], row[FILE + channel]
        if self.root is not None:
            inside = to_path(folder).relative_to(shared) if folder and shared else PurePath()
            return self.root.joinpath(*inside.parts, name)
        return self.table.parent / Path(folder) / name  # an absolute folder stays as it is


def metadata_of(row: TableRow) -> dict[str, str]:
    """The metadata of a row, by names in lower case."""
    return {
        name.removeprefix(METADATA).casefold(): cell
        for name, cell in row.cells.items()
        if name.startswith(METADATA)
    }


def to_path(text: str) -> PurePath:
    """A folder of either kind of system: the table may be from the microscope's."""
    return PureWindowsPath(text) if "\\" in text or text[1:2] == ":" else PurePath(text)


def shared_folder(folders: Sequence[str]) -> PurePath | None:
    """What all folders have in common; ``None`` where none is named.

    Raises:
        ValueError: If they have nothing in common, such as two drives.
    """
    named = [to_path(folder) for folder in dict.fromkeys(folders) if folder]
    if not named:
        return None
    try:
        shared = commonpath([path.as_posix() for path in named])
    except ValueError as error:
        raise ValueError(
            f"root: the folders of the table have nothing in common ({error}); correct them, or "
            "leave root out"
        ) from None
    return type(named[0])(shared)
