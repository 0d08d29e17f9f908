"""What a split by rows reports beside a split by images, on a folder in the Sartorius layout.

python scripts/leaky_split.py [--steps N] [--shuffled-labels] OPTIONS OF `cellxai fit`
cost: 4 minutes of one CPU core with the command of docs/results.md; expect: there, by row 1.00
right in its own test but 0.93 of the 14 images set aside; by image 1.00 and 1.00

The table has one row per *cell*; the source notebook gave the network the whole image of each row
and split the rows, so that a test row shows an image that was trained on. Here some images are set
aside first, the rest is split in both ways, and the same network is trained for the same number of
steps on each; its score on the images set aside is what its own test should have promised. With
``--shuffled-labels`` the classes are dealt out among the images at random: there is nothing to be
learnt, and what a test then finds above chance is leakage.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Int64
from torch import Tensor

from cellxai.classifier.module import CellClassifier, ModelSettings
from cellxai.classifier.schedule import cosine_rate
from cellxai.data.csv_rows import read_rows
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.loading.sampling import AugmentedImages
from cellxai.data.records import Record
from cellxai.data.splits import SplitSettings, split_records
from cellxai.verbs.fit import fit
from gmm.commandline.parser import arguments_of

BATCH_SIZE = 16
SHARE_ASIDE = 0.3  # of the images: neither split gets them
SHARE_TEST = 0.2  # of what is left, in either split
Learn = Callable[[Int64[Tensor, " n"]], CellClassifier]


@dataclass(frozen=True)
class Outcome:
    """What one split says."""

    n_test: int  # its test rows
    right: float  # share of them that are right: what would be published
    seen: float  # share of them whose image was trained on
    aside: float  # share of the images set aside that are right


def cell_rows(table: Path, images: Sequence[Record], most: int) -> list[Record]:
    """One record per row of the table, ``most`` an image at most, its image for a group."""
    counts = Counter(row["id"] for row in read_rows(table, ("id",)))
    return [
        replace(image, id=f"{image.id}-{cell}", group=image.id)
        for image in images
        for cell in range(min(counts[image.id], most))
    ]


def train(
    images: AugmentedImages,
    model: ModelSettings,
    rate: float,
    steps: int,
    rows: Int64[Tensor, " n"],
) -> CellClassifier:
    """A network after ``steps`` of AdamW; ``rows`` holds the place of the image of each row."""
    torch.manual_seed(0)
    classifier = CellClassifier(
        model.backbone.build(load_weights=True),
        model.head,
        int(images.labels.max()) + 1,
        frozen_statistics=model.frozen_statistics,
    ).train()
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=rate)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = cosine_rate(step, steps, rate, 0.0)
        drawn = rows[torch.randint(len(rows), (BATCH_SIZE,))].tolist()
        pairs = [images[step * BATCH_SIZE + i, place] for i, place in enumerate(drawn)]
        batch, labels = (torch.stack(column) for column in zip(*pairs, strict=True))
        optimiser.zero_grad()
        F.cross_entropy(classifier(batch), labels).backward()
        optimiser.step()
    return classifier.eval()


def judge(
    images: CellImages,
    labels: Int64[Tensor, " n"],
    rows: Sequence[Record],
    parts: dict[str, str],
    learn: Learn,
) -> Outcome:
    """Learns the training rows of a split, then counts what is right in the rest."""
    place = {record.id: index for index, record in enumerate(images.records("train"))}
    trained, test = (
        torch.tensor([place[str(row.group)] for row in rows if parts[row.id] == part])
        for part in ("train", "test")
    )
    classifier = learn(trained)
    with torch.inference_mode():  # of every image once, however many rows it has
        predicted = [classifier(batch).argmax(-1) for batch, _ in images.tensor_batches("train")]
    hits = torch.cat(predicted) == labels
    aside = [index for index in place.values() if index not in {*trained.tolist(), *test.tolist()}]
    shares = (hits[test], torch.isin(test, trained), hits[aside])
    return Outcome(len(test), *(float(share.double().mean()) for share in shares))


def compare(fit_words: Sequence[str], steps: int, most: int, shuffled: bool) -> None:
    """Prints what either split reports."""
    settings = arguments_of("leaky_split", fit, ["--run", "none", *fit_words])
    source, transforms = settings["data"], settings["transforms"]
    scan = source.scan()
    prepared_once = {record.id: "train" for record in scan.records}
    images = CellImages(scan.records, prepared_once, scan.classes, transforms, BATCH_SIZE)
    labels = images.labels("train")
    if shuffled:
        labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
    aside = split_records(images.records("train"), SplitSettings(0.0, SHARE_ASIDE))
    known = [record for record in images.records("train") if aside[record.id] == "train"]
    rows = cell_rows(source.root / source.table, known, most)
    pixels = AugmentedImages(images.images("train"), labels, transforms, seed=0)
    rate = settings["training"].optimiser.learning_rate
    learn = partial(train, pixels, settings["model"], rate, steps)
    print(f"{'split by':<10}{'test rows':>10}{'right':>8}{'image seen':>12}{'set aside':>11}")
    for way, units in {"row": [replace(row, group=None) for row in rows], "image": rows}.items():
        parts = split_records(units, SplitSettings(0.0, SHARE_TEST))
        outcome = judge(images, labels, rows, parts, learn)
        shares = f"{outcome.right:>8.3f}{outcome.seen:>12.3f}{outcome.aside:>11.3f}"
        print(f"{way:<10}{outcome.n_test:>10}{shares}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rows-per-image", type=int, default=12, help="of its cells at most")
    parser.add_argument("--shuffled-labels", action="store_true", help="nothing to be learnt")
    options, fit_words = parser.parse_known_args()
    compare(fit_words, options.steps, options.rows_per_image, options.shuffled_labels)


if __name__ == "__main__":
    main()
