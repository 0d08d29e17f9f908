"""LIVECell, and other cell images that are annotated in COCO's format.

Edlund C. et al. (2021), *LIVECell — A large-scale dataset for label-free live cell segmentation*,
Nature Methods 18.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from cellxai.data.ids import ids_of_paths
from cellxai.data.readers.coco import CocoImage, label_map_loader, read_coco
from cellxai.data.records import Fault, Record, Scan, Source, brief
from gmm.files.regular import NO_FILE, explain_unreadable

Label = Literal["file_name", "category"]
PUBLISHED = ("livecell_train_val_images", "livecell_test_images")  # folders in images.zip
WELL_PARTS = 3  # of A172_Phase_A7_1_00d00h00m_1.tif: cell type, microscopy, well


@dataclass(frozen=True)
class LiveCell(Source):
    """Images with one or several COCO files of annotations; one record per image.

    LIVECell names its files ``<cell type>_Phase_<well>_<field>_<time>_<crop>.tif``. The crops of a
    field, and a field at all its times, show the same cells, so whole wells stay in one part.
    An image whose annotations are broken in part keeps its class and loses its mask.

    Args:
        root: The folder of the images: all in it, each in a folder of its class, or in the two
            folders of the published ``images.zip``.
        annotations: COCO files, such as those for training, validation and test.
        label: Where the class comes from: ``file_name`` takes the file name's part before the first
            ``_``, ``category`` the category of all objects in the image.
        groups: ``well`` keeps the images of a well together; the first three parts of a file name
            name the well, and an image that lacks them is a group of its own. ``none`` lets every
            image go anywhere.
    """

    root: Path
    annotations: list[Path]
    label: Label = "file_name"
    groups: Literal["well", "none"] = "well"

    def scan(self) -> Scan:
        """One record per sound image of the files.

        Raises:
            FileNotFoundError: If the folder or a file does not exist.
            ValueError: If a file is not a COCO file.
        """
        if not self.root.is_dir():
            raise FileNotFoundError(f"{self.root}: no such folder, expected the images")
        files = [read_coco(path) for path in self.annotations]
        images = [image for in_file, _ in files for image in in_file]
        faults = [fault for _, in_file in files for fault in in_file]
        first = {image.file_name: image for image in reversed(images)}
        ids = dict(zip(first, ids_of_paths(list(first)), strict=True))
        records = []
        for image in images:
            path = find_image(self.root, image.file_name)
            wrong = list(image_faults(image, first[image.file_name], path, self.label))
            faults += wrong
            if not wrong:
                records.append(self._record(image, ids[image.file_name], path))
        return Scan(tuple(records), tuple(faults))

    def _record(self, image: CocoImage, image_id: str, path: Path) -> Record:
        return Record(
            id=image_id,
            path=path,
            label=class_of(image, self.label),
            group=well_of(image.file_name) if self.groups == "well" else None,
            load_mask=label_map_loader(image.objects, image.shape) if image.complete else None,
            cell_classes=tuple(image.classes),
        )


def find_image(root: Path, name: PurePath) -> Path:
    """Where an image lies: in the folder, in one of its cell type, or as it was published."""
    inside = [Path(), *(Path(folder) for folder in PUBLISHED)]
    places = [root / top / deep / name for top in inside for deep in ("", cell_type(name))]
    return next((p for p in places if explain_unreadable(p) != NO_FILE), root / name)


def cell_type(name: PurePath) -> str:
    """What a file name begins with."""
    return name.stem.split("_")[0]


def class_of(image: CocoImage, label: Label) -> str:
    """The class of an image, from its name or from its objects."""
    return cell_type(image.file_name) if label == "file_name" else min(image.categories)


def well_of(name: PurePath) -> str | None:
    """Cell type, microscopy and well of an image, or ``None`` where its name does not tell."""
    parts = name.stem.split("_")
    return "_".join(parts[:WELL_PARTS]) if len(parts) > WELL_PARTS else None


def image_faults(image: CocoImage, first: CocoImage, path: Path, label: Label) -> Iterator[Fault]:
    """What makes an image unusable: named twice, not there, or without one class.

    Args:
        image: The image.
        first: The first image of the same file name.
        path: Where its file should be.
        label: Where the class comes from.
    """
    name = brief(str(image.file_name))
    if image is not first:
        yield Fault(image.where, f"{name} is {first.where} already; remove one")
    elif reason := explain_unreadable(path):
        no_file = f"no such file as {path}" if reason == NO_FILE else reason
        yield Fault(image.where, f"{name}: {no_file}")
    elif label == "category" and len(image.categories) != 1:
        categories = ", ".join(sorted(image.categories)) or "no object"
        yield Fault(image.where, f"{name} has {categories}, expected one category")
    elif label == "file_name" and not cell_type(image.file_name):
        yield Fault(image.where, f"{name}: no class before the first '_'")
