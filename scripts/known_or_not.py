"""Known or not: AUROC and share flagged of strangers, by the saved densities of runs.

For each run of `configs/quickstart.yaml` that `cellxai density` has been called on. The images are
rendered anew from `--seed`; 300 of them are of the known kind and count the false alarms.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import mannwhitneyu

from cellxai.data.pixels.corruptions import Blur, Crop, Darken, Debris, Illumination, Noise
from cellxai.data.readers.folder import ImageFolder
from cellxai.data.readers.sartorius import Sartorius
from cellxai.density.observing import observe_run
from cellxai.density.pipeline import PIPELINE_FILE, DensityPipeline
from cellxai.intervals import share_interval
from cellxai.trained.image_sets import ImageSet
from cellxai.trained.run import load_run
from cellxai.verbs.synthesize import synthesize

N_NEW, N_STRANGE = 300, 72
USUAL = {"height": 128, "width": 128, "magnification": 1.5}  # as the quickstart's images
RENDERED: dict[str, dict[str, Any]] = {
    "out of focus": {"spoiled": True},
    "other objective": {"magnification": 5.0},
    **{name: {"foreign": name} for name in ("fibre", "bubble", "dust", "crystal")},
}
CHANGED = {
    "darkened": Darken(4), "noise": Noise(3), "lit from one side": Illumination(4),
    "debris": Debris(3), "crop": Crop(3), "blur": Blur(3),
}  # fmt: skip


def render(folder: Path, n_images: int, seed: int, **changes: Any) -> Sartorius:
    """Synthetic images, made if they are not there yet."""
    if not folder.exists():
        synthesize(folder, n_images, seed, n_workers=1, **{**USUAL, **changes})
    return Sartorius(folder)


def judge_run(run: Path, data: Path, seed: int, others: dict[str, Path]) -> None:
    """Prints what the density of one run says of every set."""
    trained = load_run(run, "cpu")
    pipeline = DensityPipeline.load(run / "density" / PIPELINE_FILE)
    source = observe_run(trained, pipeline.views)
    new = source.other("new", render(data / "new", N_NEW, seed))
    sets: dict[str, ImageSet] = {}
    for number, (name, changes) in enumerate(RENDERED.items()):
        rendered = render(data / name, N_STRANGE, seed + 1 + number, **changes)
        sets[name] = source.other(name, rendered)
    for name, corruption in CHANGED.items():
        sets[name] = source.corrupted(name, new.records[:N_STRANGE], corruption, seed)
    for name, folder in others.items():
        sets[name] = source.other(name, ImageFolder(folder))
    known = pipeline.judge(new.rows)
    alarms = int(known.flagged.sum())
    low, high = share_interval(alarms, N_NEW) or (0.0, 1.0)
    print(f"{run}: {alarms / N_NEW:.1%} ({low:.1%} to {high:.1%}) of {N_NEW} new images flagged")
    for name, images in sets.items():
        verdicts = pipeline.judge(images.rows)
        pairs = N_NEW * len(verdicts.p)
        area = mannwhitneyu(known.evidence, verdicts.evidence).statistic / pairs
        flagged = float(np.mean(verdicts.flagged.numpy()))
        print(f"  {name:<18} AUROC {area:.3f}  flagged {flagged:.0%}", flush=True)


def main() -> None:
    """Judges every run that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, default=Path("runs/strangers"))
    parser.add_argument("--seed", type=int, default=61_900)
    parser.add_argument("--others", nargs="*", default=[], help="NAME=FOLDER of other images")
    chosen = parser.parse_args()
    others = {name: Path(folder) for name, folder in (word.split("=", 1) for word in chosen.others)}
    for run in chosen.runs:
        judge_run(run, chosen.data, chosen.seed, others)


if __name__ == "__main__":
    main()
