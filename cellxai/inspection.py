"""The verbs ``check`` and ``preview``: a data set before anything is trained on it."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellxai.data.ids import is_safe_id
from cellxai.data.images import read_image
from cellxai.data.records import Fault, Record, Scan, Source
from cellxai.data.transforms import Transforms, augmentation_seed
from cellxai.figures.batch import BatchRow, draw_batch

FAULTS_FOUND = 3  # exit code: neither a success nor a mistake in the command
N_EPOCHS_SHOWN = 3


@dataclass(frozen=True)
class CheckReport:
    """What :func:`check` found.

    Args:
        faults: All that is wrong, in the order of the data set.
        n_images: Images that can be used.
        classes: How many of them each class has, in alphabetical order.
    """

    faults: tuple[Fault, ...]
    n_images: int
    classes: dict[str, int]

    @property
    def exit_code(self) -> int:
        """0 for a sound data set, 3 for one with faults."""
        return FAULTS_FOUND if self.faults else 0

    def __str__(self) -> str:
        counts = ", ".join(f"{label} {n}" for label, n in self.classes.items())
        n_faults = len(self.faults)
        found = f"{n_faults} fault{'' if n_faults == 1 else 's'}" if n_faults else "no faults"
        usable = f"{self.n_images} usable images" + (f" ({counts})" if counts else "")
        return "\n".join([*map(str, self.faults), f"{found}; {usable}"])


@dataclass(frozen=True)
class Preview:
    """What :func:`preview` drew.

    Args:
        path: The picture.
        images: Ids of the images in it, from top to bottom.
    """

    path: Path
    images: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path}: {len(self.images)} images as stored, prepared and augmented"


def check(data: Source) -> CheckReport:
    """Lists every fault of a data set: tables, files, pixels, masks. Nothing is trained.

    Args:
        data: The data set.

    Raises:
        FileNotFoundError: If its folder or table does not exist at all.
    """
    try:
        scan = data.scan()
    except ValueError as error:  # a table without a needed column: no row of it can be read
        scan = Scan((), (Fault(type(data).__name__, str(error)),))
    with ThreadPoolExecutor() as threads:
        per_image = list(threads.map(pixel_faults, scan.records))
    sound = [r for r, faults in zip(scan.records, per_image, strict=True) if not faults]
    found = [fault for faults in per_image for fault in faults]
    faults = (*scan.faults, *id_faults(scan.records), *found)
    classes = Counter(record.label for record in sound)
    return CheckReport(faults, len(sound), dict(sorted(classes.items())))


def pixel_faults(record: Record) -> list[Fault]:
    """What is wrong with the files of one image, all of them decoded."""
    try:
        height_width = read_image(record.path).shape[:2]
    except ValueError as error:
        return [Fault(f"image {record.id}", str(error))]
    faults = []
    for what, load in (("mask", record.load_mask), ("cause", record.load_cause)):
        try:
            shape = height_width if load is None else load().shape
        except ValueError as error:
            faults.append(Fault(f"{what} of image {record.id}", str(error)))
            continue
        if shape != height_width:
            got = f"{shape[0]}×{shape[1]} pixels, but {record.path} has"
            fault = f"{got} {height_width[0]}×{height_width[1]}"
            faults.append(Fault(f"{what} of image {record.id}", fault))
    return faults


def id_faults(records: Sequence[Record]) -> list[Fault]:
    """Ids that two images share, and ids that can be no file name: a source's own mistakes."""
    counts = Counter(record.id for record in records)
    shared = [
        Fault(f"id {image_id!r}", f"{n} images have it, expected one")
        for image_id, n in counts.items()
        if n > 1
    ]
    unsafe = [
        Fault(f"id {image_id!r}", "no file name; expected letters, digits, '_', '-' and '.'")
        for image_id in counts
        if not is_safe_id(image_id)
    ]
    return shared + unsafe


def preview(
    data: Source,
    out: Path = Path("preview.png"),
    transforms: Transforms = Transforms(),
    n_images: int = 8,
    seed: int = 0,
) -> Preview:
    """Draws what the network sees: images as stored, as prepared, and as training augments them.

    Args:
        data: The data set.
        out: The picture to write, a PNG.
        transforms: What happens to an image.
        n_images: Images in the picture; each class has one at least, even if that makes more.
        seed: Chooses the images and the augmentation.

    Raises:
        FileNotFoundError: If the data set does not exist at all.
        ValueError: If it has no image, or a chosen one cannot be read.
    """
    chosen = choose(data.scan().records, n_images, seed)
    rows = [row_of(record, transforms, seed, place) for place, record in enumerate(chosen)]
    draw_batch(rows, out, describe(transforms))
    return Preview(out, tuple(record.id for record in chosen))


def choose(records: Sequence[Record], n_images: int, seed: int) -> list[Record]:
    """Images drawn from the classes in turn, sorted by class.

    Raises:
        ValueError: If there are none.
    """
    if not records or n_images < 1:
        raise ValueError(
            f"n_images={n_images} of {len(records)} usable images, expected at least 1 of each; "
            "run `cellxai check` on the data to see why images are missing"
        )
    order = np.random.default_rng(seed).permutation(len(records))
    by_class: dict[str, list[Record]] = {}
    for index in order:
        by_class.setdefault(records[index].label, []).append(records[index])
    ranked = [(turn, r.label, r) for found in by_class.values() for turn, r in enumerate(found)]
    ranked.sort(key=lambda entry: entry[:2])
    kept = ranked[: max(n_images, len(by_class))]
    return [record for _, _, record in sorted(kept, key=lambda entry: (entry[1], entry[0]))]


def row_of(record: Record, transforms: Transforms, seed: int, place: int) -> BatchRow:
    """The pictures of one image; ``place`` stands for its index in a training set."""
    original = read_image(record.path)
    prepared = transforms.prepare(original)
    augmented = [
        transforms.augment(prepared, augmentation_seed(seed, epoch, place))
        for epoch in range(N_EPOCHS_SHOWN)
    ]
    mask = None if record.load_mask is None else transforms.prepare_mask(record.load_mask())
    return BatchRow(record.label, record.id, original, prepared, augmented, mask)


def describe(transforms: Transforms) -> str:
    """The steps in a line, in the order in which they happen."""
    height, width = transforms.image_size
    equalised = ["CLAHE"] if transforms.clahe else []
    always = [transforms.colour, *equalised, f"resize to {height}×{width}"]
    crop = [] if transforms.crop is None else [f"crop {transforms.crop}×{transforms.crop}"]
    sideways, upside_down = transforms.horizontal_flip, transforms.vertical_flip
    flips = f"flip left-right {sideways:.0%}, upside-down {upside_down:.0%}"
    training = [*crop, flips, f"brightness ±{transforms.brightness:.0%}"]
    return f"always: {' → '.join(always)}    training only: {' → '.join(training)}"
