"""What a reader of folders does not read: images in deeper folders, files of other suffixes."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from cellxai.data.formats.suffixes import SUFFIXES, is_image, is_image_folder
from cellxai.data.records import Fault

OTHER_IMAGES = frozenset(
    {
        ".webp",
        ".gif",
        ".jp2",
        ".j2k",
        ".heic",
        ".avif",
        ".ppm",
        ".pgm",
        ".jfif",
        ".jpe",
        ".raw",
        ".dcm",
        ".dicom",
        ".nd2",
        ".lsm",
        ".oib",
        ".oif",
        ".oir",
        ".vsi",
        ".svs",
        ".ndpi",
        ".mrxs",
        ".scn",
        ".stk",
        ".flex",
        ".dv",
        ".ims",
        ".zvi",
        ".ics",
        ".mrc",
        ".nii",
        ".h5",
        ".hdf5",
    }
)  # fmt: skip - what microscopes and other programs write


def deeper_faults(root: Path, class_folders: Iterable[Path]) -> Iterator[Fault]:
    """A line for each folder of images below a class folder: only those in it are read."""
    for top in class_folders:
        for folder, paths in walk_files(top):
            images = [path for path in paths if is_image(path)]
            if folder != top and images:
                what = (
                    f"{len(images)} image(s) deeper than {root}/<class>/<name> are not read; move "
                    f"them into {top}, or list them in a table for Manifest"
                )
                yield Fault(str(folder), what)


def suffix_faults(root: Path) -> tuple[list[Fault], list[Fault]]:
    """Faults and notes: how many files of other suffixes there are, of images and of the rest."""
    counts = Counter(
        path.suffix.lower() or "no suffix"
        for _, paths in walk_files(root)
        for path in paths
        if not is_image(path)
    )
    expected = f"expected {', '.join(sorted(SUFFIXES))}"
    images = {suffix: n for suffix, n in counts.items() if suffix in OTHER_IMAGES}
    faults = [
        Fault(str(root), f"{n} file(s) of {suffix} are not read, {expected}; convert them")
        for suffix, n in sorted(images.items())
    ]
    rest = ", ".join(f"{n} of {suffix}" for suffix, n in sorted((counts - Counter(images)).items()))
    return faults, [Fault(str(root), f"files passed over: {rest}")] if rest else []


def walk_files(top: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder from ``top`` with its files and the folders that are images; none with a dot."""
    for folder, names, files in os.walk(top):
        images = {name for name in names if is_image_folder(Path(folder, name))}
        names[:] = sorted(name for name in names if name[0] != "." and name not in images)
        found = sorted(name for name in [*files, *images] if name[0] != ".")
        yield Path(folder), [Path(folder, name) for name in found]
