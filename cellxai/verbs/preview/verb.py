"""The verb ``preview``: a data set in pictures and numbers, before anything is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from cellxai.classifier.backbone import Backbone
from cellxai.data.loading.measuring import with_levels
from cellxai.data.pixels.planes import describe
from cellxai.data.pixels.transforms import Transforms, augmentation_seed
from cellxai.data.plane_statistics import read_plane_statistics
from cellxai.data.record_pixels import prepare_record, read_8_bits
from cellxai.data.records import Fault, Record, Source
from cellxai.data.statistics import PixelStatistics, read_statistics
from cellxai.figures.dataset.batch import BatchRow, draw_batch
from cellxai.figures.dataset.contrast import MOST_CLASSES, ContrastRow, draw_contrast
from cellxai.figures.dataset.counts import draw_counts
from cellxai.figures.dataset.spread import draw_spread
from cellxai.figures.planes import as_picture, describe_colours
from cellxai.files.folder import write_csv, write_json
from cellxai.files.returned import Returned
from cellxai.verbs.preview.batch_check import (
    PIXELS,
    BatchCheck,
    check_batches,
    columns_to_check,
)
from cellxai.verbs.preview.probe import probe_features, probe_name
from cellxai.verbs.preview.summaries import (
    ClassSummary,
    Measured,
    group_by_class,
    share_told_by_spread,
    summarise,
)

N_EPOCHS_SHOWN = 3


@dataclass(frozen=True)
class Preview(Returned):
    """What :func:`preview` measured and drew.

    Args:
        folder: Where pictures and tables lie.
        images: Ids of the images in ``batch.png``, from top to bottom.
        classes: One summary per class.
        by_spread: Share of the images whose class the pixel standard deviation tells by itself.
        by_constant: Share that the most frequent class makes up.
        faults: Images and rows that were left out.
        batches: Whether plate, batch and other columns can be told from the image, and go with the
            class.
    """

    pictures = "*.png"

    folder: Path
    images: tuple[str, ...]
    classes: tuple[ClassSummary, ...]
    by_spread: float
    by_constant: float
    faults: tuple[Fault, ...] = ()
    batches: BatchCheck = field(default_factory=BatchCheck)

    def __str__(self) -> str:
        width = max(len("class"), *(len(summary.label) for summary in self.classes))
        rows = [
            f"{summary.label:<{width}} {summary.n_images:>7} {summary.mean:>7.1f} "
            f"{summary.sd:>6.1f} ± {summary.sd_spread:<5.1f} {summary.sizes}"
            for summary in self.classes
        ]
        return "\n".join(
            [
                f"{self.folder}: counts, contrast, statistics, and {len(self.images)} images as "
                "stored, prepared and augmented",
                f"{'class':<{width}}  images    mean      sd       height×width",
                *rows,
                f"the pixel sd alone tells the class of {self.by_spread:.1%} (linear discriminant, "
                f"leave-one-out); always the most frequent class: {self.by_constant:.1%}",
                *self.batches.lines,
                *(f"left out: {fault}" for fault in self.faults),
            ]
        )

    def as_json(self) -> dict[str, Any]:
        """What ``preview.json`` holds."""
        return {
            "classes": [class_row(summary) for summary in self.classes],
            "by_pixel_sd": self.by_spread, "by_constant": self.by_constant,
            "batches": self.batches.as_json(), "faults": [str(fault) for fault in self.faults],
        }  # fmt: skip


def preview(
    data: Source,
    out: Path = Path("preview"),
    transforms: Transforms = Transforms(),
    n_images: int = 8,
    seed: int = 0,
    probe: Backbone | None = None,
) -> Preview:
    """Shows a data set before anything is trained: counts, contrast, statistics, a batch.

    Writes counts.png, clahe.png (an image per class before and after), batch.png (stored, prepared,
    augmented), statistics.png, statistics.csv (a row per image), classes.csv (a row per class) and
    preview.json. Where a table says more of the images (plate, batch, dose), each such column is
    checked: whether it can be told from the pixels as stored, beyond what the class explains, and
    whether it goes with the class. A run that has them in its folder, by --out RUN/preview, shows
    that on its page.

    Args:
        data: The data set.
        out: Folder of the pictures and tables.
        transforms: What happens to an image before the network; the levels of ``sixteen_bit:
            training`` are here those of all images, for nothing is split.
        n_images: Images in batch.png; each class has one at least, even if that makes more.
        seed: Chooses the images and the augmentation.
        probe: A network with weights at hand, such as one trained on ImageNet, whose features are
            asked for the columns too; null for pixel statistics alone.

    Raises:
        FileNotFoundError: If the data set does not exist at all.
        ValueError: If it has no readable image.
    """
    scan = data.scan()
    transforms = with_levels(transforms, scan.records)
    results = read_statistics(scan.records, transforms)
    measured = [
        (record, statistics)
        for record, statistics in zip(scan.records, results, strict=True)
        if isinstance(statistics, PixelStatistics)
    ]
    faults = (*scan.faults, *(fault for fault in results if isinstance(fault, Fault)))
    chosen = choose_images([record for record, _ in measured], n_images, seed)
    by_class = group_by_class(measured)
    draw_preview(by_class, chosen, out, transforms, seed)
    write_csv(out / "statistics.csv", [image_row(*pair) for pair in measured])
    classes = tuple(summarise(label, pairs) for label, pairs in by_class.items())
    write_csv(out / "classes.csv", [class_row(summary) for summary in classes])
    made = Preview(
        out, tuple(record.id for record in chosen), classes, share_told_by_spread(by_class),
        max(len(pairs) for pairs in by_class.values()) / len(measured), faults,
        check_columns([record for record, _ in measured], transforms, probe, seed),
    )  # fmt: skip
    write_json(out / "preview.json", made.as_json())
    return made


def check_columns(
    records: Sequence[Record], transforms: Transforms, probe: Backbone | None, seed: int
) -> BatchCheck:
    """Checks every column that a table has beside the class; nothing is read where it has none."""
    if not columns_to_check(records):
        return BatchCheck()
    features = {PIXELS: read_plane_statistics(records, transforms.stack)}
    if probe is not None:
        features[f"features of {probe_name(probe)}"] = probe_features(records, transforms, probe)
    return check_batches(features, seed)


def image_row(record: Record, statistics: PixelStatistics) -> dict[str, Any]:
    """A line of ``statistics.csv``."""
    return {
        "id": record.id, "label": record.label,
        "mean": f"{statistics.mean:.3f}", "sd": f"{statistics.sd:.3f}",
        "height": statistics.height, "width": statistics.width,
    }  # fmt: skip


def class_row(summary: ClassSummary) -> dict[str, Any]:
    """A line of ``classes.csv``."""
    return {
        "label": summary.label, "images": summary.n_images, "mean": f"{summary.mean:.3f}",
        "sd": f"{summary.sd:.3f}", "sd_spread": f"{summary.sd_spread:.3f}",
        "height×width": summary.sizes,
    }  # fmt: skip


def draw_preview(
    by_class: Mapping[str, Measured],
    chosen: Sequence[Record],
    out: Path,
    transforms: Transforms,
    seed: int,
) -> None:
    """Draws every picture of a preview."""
    draw_counts({label: len(pairs) for label, pairs in by_class.items()}, out / "counts.png")
    rows = [batch_row(record, transforms, seed, place) for place, record in enumerate(chosen)]
    draw_batch(rows, out / "batch.png", describe_transforms(transforms))
    firsts = {record.label: record for record in reversed(chosen)}
    shown = [contrast_of(firsts[label], transforms) for label in list(by_class)[:MOST_CLASSES]]
    draw_contrast(shown, out / "clahe.png")
    numbers = {"mean grey level": "mean", "pixel standard deviation, grey levels": "sd"}
    panels = {
        name: {
            label: np.array([getattr(statistics, field) for _, statistics in pairs])
            for label, pairs in by_class.items()
        }
        for name, field in numbers.items()
    }
    title = "A dot per image as stored; the bar is the median of its class"
    draw_spread(panels, out / "statistics.png", title)


def contrast_of(record: Record, transforms: Transforms) -> ContrastRow:
    """An image as the network would see it, without and with CLAHE, whatever the settings say."""
    before, after = (
        as_shown(prepare_record(record, replace(transforms, clahe=clahe)), transforms)
        for clahe in (False, True)
    )
    return ContrastRow(record.label, record.id, before, after)


def as_shown(
    image: UInt8[np.ndarray, "h w p"], transforms: Transforms
) -> UInt8[np.ndarray, "h w *c"]:
    """Pixels as the sheets take them: named planes as their composite."""
    named = transforms.plane_names
    return as_picture(image, named).reshape(*image.shape[:2], -1) if named else image


def choose_images(records: Sequence[Record], n_images: int, seed: int) -> list[Record]:
    """Images drawn from the classes in turn, sorted by class.

    Raises:
        ValueError: If there are no images, or none is wanted.
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
    ranked = [(turn, r.label, r) for records in by_class.values() for turn, r in enumerate(records)]
    ranked.sort(key=lambda entry: entry[:2])
    kept = ranked[: max(n_images, len(by_class))]
    return [record for _, _, record in sorted(kept, key=lambda entry: (entry[1], entry[0]))]


def batch_row(record: Record, transforms: Transforms, seed: int, place: int) -> BatchRow:
    """The pictures of one image; ``place`` stands for its index in a training set."""
    original = as_shown(read_8_bits(record, transforms), transforms)
    prepared = prepare_record(record, transforms)
    augmented = [
        as_shown(transforms.augment(prepared, augmentation_seed(seed, epoch, place)), transforms)
        for epoch in range(N_EPOCHS_SHOWN)
    ]
    mask = None if record.load_mask is None else transforms.prepare_mask(record.load_mask())
    shown = as_shown(prepared, transforms)
    return BatchRow(record.label, record.id, original, shown, augmented, mask)


def describe_transforms(transforms: Transforms) -> str:
    """The steps in a line, in the order in which they happen."""
    height, width = transforms.image_size
    of = f" of {', '.join(transforms.clahe)}" if isinstance(transforms.clahe, list) else ""
    equalised = [f"CLAHE{of}"] if transforms.clahe else []
    colours = describe_colours(transforms.plane_names)
    planes = colours or describe(transforms.planes)
    always = [planes, *equalised, f"resize to {height}×{width}"]
    crop = [] if transforms.crop is None else [f"crop {transforms.crop}×{transforms.crop}"]
    sideways, upside_down = transforms.horizontal_flip, transforms.vertical_flip
    flips = f"flip left-right {sideways:.0%}, upside-down {upside_down:.0%}"
    own = [type(step).__name__ for step in transforms.augmentations]
    training = [*crop, flips, f"brightness ±{transforms.brightness:.0%}", *own]
    return f"always: {' → '.join(always)}    training only: {' → '.join(training)}"
