"""Image files that belong to no data set: named by file, folder or pattern, and given ids."""

import glob
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from cellxai.data.formats.suffixes import is_image_folder
from cellxai.data.ids import ids_of_paths
from cellxai.data.readers.folder import images_in
from cellxai.data.records import Record
from cellxai.files.identity import hash_path


def find_files(name: str) -> list[Path]:
    """The files that a name means: a file, the images of a folder, or all that a pattern matches.

    Patterns are those of the shell, with ``**`` for folders of any depth. Empty where there is
    nothing of that name.
    """
    path = Path(name)
    if path.is_file() or is_image_folder(path):
        return [path]
    if path.is_dir():
        return images_in(path)
    matches = glob.glob(name, recursive=True)  # noqa: PTH207 - of Path it takes no absolute ones
    return sorted(file for file in map(Path, matches) if file.is_file() or is_image_folder(file))


def records_of_files(paths: Sequence[Path], taken: Collection[str] = ()) -> list[Record]:
    """Records without a label, their ids ``folder__name``.

    Args:
        paths: Different files.
        taken: Ids that must not be given again; a hash of the path tells apart what would be one.
    """
    full = [path.resolve() for path in paths]
    ids = [ids_of_paths([Path(path.parent.name, path.name)])[0] for path in full]
    # Without case, because names that differ in case alone are one file on many disks.
    uses = Counter(text.casefold() for text in [*ids, *taken])
    return [
        Record(text if uses[text.casefold()] == 1 else f"{text}-{hash_path(path)}", given, "")
        for text, path, given in zip(ids, full, paths, strict=True)
    ]
