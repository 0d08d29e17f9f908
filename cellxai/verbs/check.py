"""The verb ``check``: every fault of a data set."""

from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float16

from cellxai.data.ids import is_safe_id
from cellxai.data.image_formats import read_pixels
from cellxai.data.memory_budget import room_to_decode
from cellxai.data.pixels.near_copies import NearCopy, detail_of, find_near_copies
from cellxai.data.pixels.oddities import PixelLook, describe_odd, look_at
from cellxai.data.pixels.planes import refuse_planes
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Fault, Record, Scan, Source, note_blank_groups
from cellxai.files.frame import Frame
from cellxai.files.returned import Returned

FAULTS_FOUND = 3  # exit code: neither a success nor a mistake in the command


@dataclass(frozen=True)
class CheckReport(Returned):
    """The result of :func:`check`.

    Args:
        faults: All that is wrong, in the order of the data set.
        n_images: Images that can be used.
        classes: How many of them each class has, in alphabetical order.
        notes: What is not wrong and yet worth a look; it does not change the exit code.
    """

    faults: tuple[Fault, ...]
    n_images: int
    classes: dict[str, int]
    notes: tuple[Fault, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 for a sound data set, 3 for one with faults."""
        return FAULTS_FOUND if self.faults else 0

    def to_frame(self) -> Frame:
        """A row per fault and per note, with where it is and what."""
        kinds = (("fault", self.faults), ("note", self.notes))
        rows = [{"kind": kind, "where": x.where, "what": x.what} for kind, xs in kinds for x in xs]
        return Frame(rows, ["kind", "where", "what"])

    def __str__(self) -> str:
        counts = ", ".join(f"{label} {n}" for label, n in self.classes.items())
        n_faults, n_notes = len(self.faults), len(self.notes)
        counted = f"{n_faults} fault{'' if n_faults == 1 else 's'}" if n_faults else "no faults"
        counted += f", {n_notes} note{'' if n_notes == 1 else 's'}" if n_notes else ""
        usable = f"{self.n_images} usable images" + (f" ({counts})" if counts else "")
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join([*map(str, self.faults), *notes, f"{counted}; {usable}"])


def check(data: Source, transforms: Transforms = Transforms()) -> CheckReport:
    """Lists every fault of a data set: tables, files, pixels, masks. Nothing is trained.

    Notes name what is not wrong and yet worth a look: images without a group among others that have
    one, tiny ones, ones of a single grey level, ones that are equal pixel by pixel or show the same
    (turned, mirrored, resized, recompressed or brightened), and a few of 16 bits among many of 8.

    Args:
        data: The data set.
        transforms: As `fit` will have them. ``stack`` says which picture is taken of a file of
            several, ``planes`` which planes it needs: it is a fault to lack one, or to have others
            than one or three where none has a name.

    Raises:
        FileNotFoundError: If its folder or table does not exist at all.
    """
    name = type(data).__name__
    try:
        scan = data.scan()
    except ValueError as error:  # a table without a needed column: no row of it can be read
        scan = Scan((), (Fault(name, str(error)),))
    with ThreadPoolExecutor() as threads:
        checked = list(threads.map(lambda record: check_image(record, transforms), scan.records))
    sound = {image.record.label for image in checked if image.usable}
    counts = Counter(image.record.label for image in checked if image.usable)
    of_images = [fault for image in checked for fault in image.faults]
    faults = (*scan.faults, *id_faults(scan.records), *of_images, *class_faults(name, sound))
    of_pixels = (*note_pixels(checked), *note_near_copies(checked))
    notes = (*scan.notes, *note_blank_groups(scan.records), *of_pixels)
    return CheckReport(faults, counts.total(), dict(sorted(counts.items())), notes)


@dataclass(frozen=True)
class CheckedImage:
    """One image, all its files decoded.

    Args:
        record: Where it lies.
        faults: What is wrong with its files.
        look: What is known of its pixels; ``None`` where they cannot be read.
        detail: What tells it from others; ``None`` likewise.
    """

    record: Record
    faults: tuple[Fault, ...]
    look: PixelLook | None
    detail: Float16[np.ndarray, "side side"] | None = None

    @property
    def usable(self) -> bool:
        """Whether a classifier can be trained on it, a broken mask or none beside it."""
        return self.look is not None


def check_image(record: Record, transforms: Transforms) -> CheckedImage:
    """Decodes the files of one image."""
    try:
        with room_to_decode(record, transforms.stack):
            pixels = read_pixels(record, transforms.stack)
            refuse_planes(pixels[:1, :1], transforms.planes)  # one pixel tells which there are
            (height, width), look = pixels.shape[:2], look_at(pixels)
            detail = detail_of(pixels)
            del pixels
    except ValueError as error:
        return CheckedImage(record, (Fault(f"image {record.id}", str(error)),), None)
    faults = []
    for what, load in (("mask", record.load_mask), ("cause", record.load_cause)):
        try:
            shape = (height, width) if load is None else load().shape
        except ValueError as error:
            faults.append(Fault(f"{what} of image {record.id}", str(error)))
            continue
        if shape != (height, width):
            got = f"{shape[0]}×{shape[1]} pixels, but {record.path} has"
            fault = f"{got} {height}×{width}"
            faults.append(Fault(f"{what} of image {record.id}", fault))
    return CheckedImage(record, tuple(faults), look, detail)


def class_faults(name: str, classes: Collection[str]) -> list[Fault]:
    """A line where nothing can be trained on the images."""
    if len(classes) > 1:
        return []
    got = (
        f"usable images of one class only ({', '.join(classes)})" if classes else "no usable image"
    )
    return [Fault(name, f"{got}, expected at least two classes to train on")]


def note_pixels(checked: Sequence[CheckedImage]) -> list[Fault]:
    """What is odd about the pixels of readable images."""
    readable = [image for image in checked if image.look is not None]
    looks = {image.record.id: image.look for image in readable if image.look is not None}
    labels = {image.record.id: image.record.label for image in readable}
    return [Fault(f"image {image_id}", what) for image_id, what in describe_odd(looks, labels)]


def note_near_copies(checked: Sequence[CheckedImage]) -> list[Fault]:
    """Images that show what an earlier one shows, and are not the same pixel by pixel."""
    images = [image for image in checked if image.look is not None and image.detail is not None]
    if not images:
        return []
    nearest: dict[int, NearCopy] = {}
    for copy in find_near_copies(
        np.stack([image.detail for image in images if image.detail is not None])
    ):
        known = nearest.get(copy.second)
        if known is None or known.similarity < copy.similarity:
            nearest[copy.second] = copy
    return [
        describe_copy(images[copy.first], images[copy.second], copy.similarity)
        for _, copy in sorted(nearest.items())
        if images[copy.first].look != images[copy.second].look
    ]


def describe_copy(first: CheckedImage, second: CheckedImage, similarity: float) -> Fault:
    """The line of an image that shows what another shows."""
    labels = first.record.label, second.record.label
    of_class = "" if labels[0] == labels[1] else f", which is {labels[0]!r} and this {labels[1]!r}"
    what = f"shows what image {first.record.id} shows (correlation {similarity:.2f}){of_class}"
    return Fault(f"image {second.record.id}", what)


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
