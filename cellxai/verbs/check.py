"""The verb ``check``: every fault of a data set."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cellxai.data.ids import is_safe_id
from cellxai.data.image_formats import read_pixels
from cellxai.data.records import Fault, Record, Scan, Source

FAULTS_FOUND = 3  # exit code: neither a success nor a mistake in the command


@dataclass(frozen=True)
class CheckReport:
    """The result of :func:`check`.

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
        counted = f"{n_faults} fault{'' if n_faults == 1 else 's'}" if n_faults else "no faults"
        usable = f"{self.n_images} usable images" + (f" ({counts})" if counts else "")
        return "\n".join([*map(str, self.faults), f"{counted}; {usable}"])


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
    of_images = [fault for faults in per_image for fault in faults]
    faults = (*scan.faults, *id_faults(scan.records), *of_images)
    classes = Counter(record.label for record in sound)
    return CheckReport(faults, len(sound), dict(sorted(classes.items())))


def pixel_faults(record: Record) -> list[Fault]:
    """What is wrong with the files of one image, all of them decoded."""
    try:
        height_width = read_pixels(record).shape[:2]
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
    """Ids that two images share, and ids that cannot be file names: mistakes of the source."""
    counts = Counter(record.id for record in records)
    shared = [
        Fault(f"id {image_id!r}", f"{n} images have it, expected one")
        for image_id, n in counts.items()
        if n > 1
    ]
    unsafe = [
        Fault(f"id {image_id!r}", "not a valid id; expected letters, digits, '_', '-' and '.'")
        for image_id in counts
        if not is_safe_id(image_id)
    ]
    return shared + unsafe
