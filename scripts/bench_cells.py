"""Single cells from the cache beside image files of the same size: CPU time, interleaved.

python scripts/bench_cells.py [--frames 40] [--size 96] [--rounds 5]
cost: 1 min of one CPU core; expect: a ratio of 0.8 or more from the cache, and above 1 at first

Synthetic frames of 520×704 pixels are cut into cells by their masks; the same crops lie as files
in folders beside them. Both are prepared for the first time, and then served by the cache, which
looks up its key and reads its pixels. Both sides take turns in each round; the median is printed.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from cellxai.data.cells import SingleCells
from cellxai.data.frames.kept import FRAMES
from cellxai.data.image_formats import read_pixels
from cellxai.data.loading.prepared import prepare_all
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.folder import ImageFolder
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.records import Record
from cellxai.verbs.synthesize import synthesize


def write_crops(cells: Sequence[Record], folder: Path) -> list[Record]:
    """The same crops as files."""
    for cell in cells:
        path = folder / cell.label / f"{cell.id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(read_pixels(cell)).save(path)
    return list(ImageFolder(folder).scan().records)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Processor time of all threads of this process."""
    FRAMES.clear()
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Measures both sides and prints cells per second of CPU time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=5)
    words = parser.parse_args()
    transforms = Transforms(image_size=(words.size, words.size), clahe=False)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        synthesize(root / "frames", n_images=words.frames, height=520, width=704)
        cells = list(SingleCells(Sartorius(root / "frames"), words.size).scan().records)
        sides = {"cells": cells, "files": write_crops(cells, root / "crops")}
        times: dict[tuple[str, str], list[float]] = {}
        for _ in range(words.rounds):
            for side, records in sides.items():
                cache = root / f"cache-{side}"
                shutil.rmtree(cache, ignore_errors=True)
                for state in ("first", "cached"):
                    seconds = cpu_seconds(lambda: prepare_all(records, transforms, cache))  # noqa: B023
                    times.setdefault((state, side), []).append(seconds)
    print(f"{len(cells)} cells of {words.frames} frames, median of {words.rounds} rounds")
    for state in ("first", "cached"):
        rates = {side: len(cells) / statistics.median(times[state, side]) for side in sides}
        print(
            f"{state}: cells {rates['cells']:,.0f}/s, files {rates['files']:,.0f}/s of CPU time, "
            f"ratio {rates['cells'] / rates['files']:.2f}"
        )


if __name__ == "__main__":
    main()
