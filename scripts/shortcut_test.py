"""Which of two networks reads a planted cue? Renders cells, trains on them, judges both.

python scripts/shortcut_test.py [--cue "corner tag"] [--out runs/shortcut] OPTIONS OF `cellxai fit`
cost: 12 min of one CPU core that others use as well; expect: with the right, a wrong and no tag the
shortcut network is right in 1.00, 0.26 and 0.62 of the images, the honest one in 0.99, 0.99, 0.98

Both networks see the same cells with the same settings (``configs/fit/shortcut.yaml``). Beside the
cells of *shortcut* stands a cue that always tells the class; beside those of *honest* the same cue
tells nothing. Then each is judged on cells that neither has seen, thrice: with the cue of their
class, with that of another class, and without. A network that reads the cue is right, wrong, and at
a loss; one that reads the cells is right each time. A third one, *shuffled*, learns 270 images with
labels dealt out at random by heart, for the metric of label randomisation. What explainers make of
them is for

cellxai benchmark --config configs/benchmark/truth.yaml
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Int64
from torch import Tensor

from cellxai.data.loading.datamodule import CellImages
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.readers.shuffled import ShuffledLabels
from cellxai.data.synthetic import CLASSES, scene_of
from cellxai.data.synthetic.cues import CUE_KINDS, CueKind
from cellxai.files.folder import write_csv
from cellxai.trained.run import TrainedRun, load_run
from cellxai.verbs.fit import fit
from cellxai.verbs.synthesize import synthesize
from gmm.commandline.parser import arguments_of

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "fit" / "shortcut.yaml"
TRAINED_ON = {"shortcut": 1.0, "honest": 1 / len(CLASSES)}  # how often the cue tells the class
BY_HEART = [  # fewer images, more often
    "--split.validation_share", "0", "--split.test_share", "0.85", "--training.epochs", "60",
]  # fmt: skip
SIDE_PX, MAGNIFICATION = 128, 1.5
Judging = Literal["right cue", "wrong cue", "no cue"]
JUDGED_ON: dict[Judging, float | None] = {"right cue": 1.0, "wrong cue": 0.0, "no cue": None}


@dataclass(frozen=True)
class Verdict:
    """How a network answers cells beside the right, the wrong and no cue."""

    network: str
    accuracy: dict[Judging, float]
    follows: float  # share of the images with a wrong cue whose cue it repeats


def render_cells(folder: Path, n: int, seed: int, cue: CueKind, agreement: float | None) -> Path:
    """A folder of cells beside cues that agree with the class so often; ``None`` for no cue."""
    planted = {} if agreement is None else {"cue": cue, "cue_agreement": agreement}
    synthesize(folder, n, seed, SIDE_PX, SIDE_PX, magnification=MAGNIFICATION, **planted)
    return folder


def fit_network(
    run: Path, cells: Path, fit_words: Sequence[str], shuffled: bool = False
) -> TrainedRun:
    """A network trained on these cells; one that is finished is read."""
    words = ["--config", str(CONFIG), "--data.root", str(cells), "--run", str(run), *fit_words]
    arguments = arguments_of("shortcut_test", fit, words)
    if shuffled:
        arguments["data"] = ShuffledLabels(arguments["data"])
    fit(**arguments)
    return load_run(run)


def judge(network: str, run: TrainedRun, judged: dict[Judging, Path]) -> Verdict:
    """Accuracy in each of the folders, and how often the cue is followed where it is wrong."""
    accuracy: dict[Judging, float] = {}
    follows = 0.0
    for name, cells in judged.items():
        records = Sartorius(cells).scan().records
        parts = {record.id: "test" for record in records}
        images = CellImages(records, parts, run.classes, run.transforms)
        answers = run.outputs_of(images, "test")[0].argmax(1)
        accuracy[name] = share_equal(answers, images.labels("test"))
        if name == "wrong cue":
            cued = [run.classes.index(cued_class(cells, record.id)) for record in records]
            follows = share_equal(answers, torch.tensor(cued))
    return Verdict(network, accuracy, follows)


def cued_class(cells: Path, image_id: str) -> str:
    """The class that the cue of an image tells."""
    cue = scene_of(cells, image_id).cue
    assert cue is not None
    return CLASSES[cue.number]


def share_equal(first: Int64[Tensor, " n"], second: Int64[Tensor, " n"]) -> float:
    """Share of places that are equal."""
    return float((first == second).double().mean())


def compare(
    cue: CueKind, out: Path, n_images: int, n_judged: int, fit_words: Sequence[str]
) -> list[Verdict]:
    """Renders, trains and judges; what is there already is not made again."""
    folder = out / cue.replace(" ", "-")
    cells = folder / "cells"
    judged: dict[Judging, Path] = {
        name: render_cells(cells / name.replace(" ", "-"), n_judged, 1, cue, agreement)
        for name, agreement in JUDGED_ON.items()
    }
    seen = {
        network: render_cells(cells / network, n_images, 0, cue, agreement)
        for network, agreement in TRAINED_ON.items()
    }
    runs = {name: fit_network(folder / name, path, fit_words) for name, path in seen.items()}
    runs["shuffled"] = fit_network(
        folder / "shuffled", seen["honest"], [*BY_HEART, *fit_words], shuffled=True
    )
    verdicts = [judge(name, run, judged) for name, run in runs.items()]
    rows = [
        {"network": verdict.network, **verdict.accuracy, "follows a wrong cue": verdict.follows}
        for verdict in verdicts
    ]
    write_csv(folder / "verdict.csv", rows)
    return verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--cue", choices=CUE_KINDS, default="corner tag")
    parser.add_argument("--out", type=Path, default=Path("runs/shortcut"))
    parser.add_argument("--images", type=int, default=1800, help="that each network is given")
    parser.add_argument("--judged", type=int, default=90, help="images with each kind of cue")
    options, fit_words = parser.parse_known_args()
    print(f"| {options.cue}: network | {' | '.join(JUDGED_ON)} | follows a wrong cue |")
    print("|---" * (len(JUDGED_ON) + 2) + "|")
    verdicts = compare(options.cue, options.out, options.images, options.judged, fit_words)
    for verdict in verdicts:
        shares = [*verdict.accuracy.values(), verdict.follows]
        print(f"| {verdict.network} | {' | '.join(f'{share:.2f}' for share in shares)} |")


if __name__ == "__main__":
    main()
