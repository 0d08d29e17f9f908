"""Folders whose sub-folders are named for the classes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cellxai.data.formats.suffixes import SUFFIXES, is_image, is_image_folder
from cellxai.data.ids import ids_of_paths
from cellxai.data.masks.label_maps import CELLPOSE_LABELS, CELLPOSE_STATE, mask_loader
from cellxai.data.readers.parts import Each, check_each, split_records
from cellxai.data.readers.passed_over import deeper_faults, suffix_faults
from cellxai.data.records import Fault, Record, Scan, Source


@dataclass(frozen=True)
class ImageFolder(Source):
    """Images laid out as ``root/<class>/<name>.png`` (or any suffix of ``formats``).

    A folder without sub-folders that hold images is one class, named for the folder. Ids are
    ``<class>__<name>``. Files and folders that begin with a dot are passed over. Images in deeper
    folders, and files that are images by other suffixes, are faults; other files are a note.

    Args:
        root: The folder.
        masks: A folder of label maps with the same sub-folders and names, of any image suffix, as
            StarDist's users save them, or with cellpose's ``_cp_masks`` behind the name; images
            without a file there have no mask. It may be ``root`` itself, where cellpose writes: its
            label maps are then no images. ``null`` for no masks.
        each: ``[series]``, ``[time]`` or both: a record for each of them in a file of several, as
            one group and without a mask, where the file itself says what it holds.
    """

    root: Path
    masks: Path | None = None
    each: tuple[Each, ...] = ()

    def __post_init__(self) -> None:
        check_each(self.each)

    def scan(self) -> Scan:
        """One record per image file, in alphabetical order.

        Raises:
            FileNotFoundError: If a folder does not exist, or there is no image in it.
        """
        loose = self._images_in(self.root)
        folders = sorted(path for path in self.root.iterdir() if is_visible_folder(path))
        by_class = {folder.name: self._images_in(folder) for folder in folders}
        deeper = list(deeper_faults(self.root, folders))
        others, notes = suffix_faults(self.root)
        if not any(by_class.values()):
            check_any_image(self.root, loose)
            records = split_records(self._records(loose, self.root.resolve().name), self.each)
            return Scan(tuple(records), (*deeper, *others), tuple(notes))
        whole = [
            record for label, paths in by_class.items() for record in self._records(paths, label)
        ]
        records = split_records(whole, self.each)
        faults = folder_faults(self.root, by_class, loose)
        return Scan(tuple(records), (*faults, *deeper, *others), tuple(notes))

    def _images_in(self, folder: Path) -> list[Path]:
        """The images of a folder without what cellpose wrote beside them, if masks are there."""
        has_masks = self.masks is not None and self.masks.resolve() == self.root.resolve()
        images = images_in(folder)
        return [p for p in images if not p.stem.endswith(CELLPOSE_LABELS)] if has_masks else images

    def _records(self, paths: Sequence[Path], label: str) -> Iterable[Record]:
        relative = [path.relative_to(self.root) for path in paths]
        ids = ids_of_paths([Path(label, path.name) for path in relative])
        for path, inside, image_id in zip(paths, relative, ids, strict=True):
            mask = None if self.masks is None else find_mask(self.masks / inside, path)
            yield Record(image_id, path, label, load_mask=mask and mask_loader(mask))


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder, recognised by their suffix, in alphabetical order.

    Also broken links and what only looks like a file: whoever reads them says what they are.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder, expected images in one per class")
    return sorted(path for path in folder.iterdir() if is_image(path))


def is_visible_folder(path: Path) -> bool:
    """Whether ``path`` is a folder that no system or tool put there for itself, and no image."""
    return path.is_dir() and not path.name.startswith(".") and not is_image_folder(path)


def find_mask(path: Path, image: Path) -> Path | None:
    """The label map for a name, or ``None``; cellpose's pickle where there is that alone.

    Args:
        path: The name, whatever the suffix.
        image: The image itself, which is no mask where both lie in one folder.
    """
    if not path.parent.is_dir():
        return None
    stems = path.stem, path.stem + CELLPOSE_LABELS
    others = [other for other in images_in(path.parent) if other.stem in stems and other != image]
    pickle = path.parent / f"{path.stem}{CELLPOSE_STATE}"
    return others[0] if others else pickle if pickle.is_file() else None


def folder_faults(
    root: Path, by_class: dict[str, list[Path]], loose: Sequence[Path]
) -> Iterable[Fault]:
    """Sub-folders without an image, and images that lie beside the sub-folders."""
    for label, paths in by_class.items():
        if not paths:
            what = "no image in this class; add some, or remove the folder"
            yield Fault(str(root / label), what)
    for path in loose:
        what = f"beside the class folders {', '.join(by_class)}; move it into one of them"
        yield Fault(str(path), what)


def check_any_image(root: Path, images: Sequence[Path]) -> None:
    """Refuses a folder without images, and says where images lie if they lie deeper.

    Raises:
        FileNotFoundError: If there is none.
    """
    if images:
        return
    suffixes = f"<class>/<name> with a suffix of {', '.join(sorted(SUFFIXES))}"
    deeper = next((path for path in root.glob("*/*/*") if is_image(path)), None)
    way_out = (
        "convert the images to one of them, or pass another root"
        if deeper is None
        else f"they lie deeper: pass root={deeper.parent.parent}"
    )
    raise FileNotFoundError(f"{root}: no images, expected {suffixes}; {way_out}")
