"""``score``: what a run says of new images, and which of them it should not be asked about."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cellxai.adapters.familiarity import density_file, read_density
from cellxai.density.promises import Promise
from cellxai.files.config import as_config
from cellxai.files.folder import read_json, write_json
from cellxai.files.identity import hash_file, hash_json, hash_tensors
from cellxai.files.lock import run_lock
from cellxai.trained.image_stream import stream_outputs
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import Device
from cellxai.verbs.score.named_images import find_records, key_of_file
from cellxai.verbs.score.scorer import Scorer
from cellxai.verbs.score.sheet import draw_sheet
from cellxai.verbs.score.table import ScoreRow, append_rows, mend_table, read_scores

MOST_FAULTS_SHOWN = 5


@dataclass(frozen=True)
class ScoreSummary:
    """What ``score`` found.

    Args:
        folder: Where ``scores.csv`` and ``sheet.png`` lie.
        n_images: Number of the images that have scores, from this call or an earlier one.
        n_before: Number of the images, including broken ones, that an earlier call had done.
        n_unfamiliar: Number of the images that are flagged.
        promises: What the thresholds promise.
        faults: What could not be read.
    """

    folder: Path
    n_images: int
    n_before: int
    n_unfamiliar: int
    promises: tuple[Promise, ...]
    faults: tuple[str, ...]

    def __str__(self) -> str:
        share = f" ({self.n_unfamiliar / self.n_images:.1%})" if self.n_images else ""
        lines = [
            f"{self.folder}: {self.n_images} images, {self.n_unfamiliar} unfamiliar{share}",
            *map(str, self.promises),
        ]
        lines += [f"{self.n_before} of them were scored before"] if self.n_before else []
        lines += [f"left out: {fault}" for fault in self.faults[:MOST_FAULTS_SHOWN]]
        more = len(self.faults) - MOST_FAULTS_SHOWN
        return "\n".join(lines + ([f"left out: {more} more, in scores.csv"] if more > 0 else []))


def score(
    run: Path,
    images: list[str] | str,
    out: Path | None = None,
    n_shown: int = 24,
    batch_size: int = 32,
    device: Device = "auto",
) -> ScoreSummary:
    """Classifies new images and says which of them the classifier does not know.

    Writes ``scores.csv``, a row per image, and ``sheet.png``, the most unfamiliar images first. The
    images are decoded and scored chunk by chunk, so that memory holds the pixels of one chunk and
    the names of all images. The same call continues one that was killed, and scores an image again
    that has changed. A broken image has a row that says so, and stops no other.

    Args:
        run: The run folder of `cellxai fit`, in which `cellxai density` has been called.
        images: Files, folders with all below them, patterns such as ``plates/**/*.png``, and CSV
            tables with a column ``path``; one or a list of them.
        out: Folder of the results; null for ``score`` in the run folder.
        n_shown: Number of images on the sheet.
        batch_size: Largest number of images per forward pass.
        device: Where to compute; "auto" takes a CUDA device when there is one.

    Raises:
        FileNotFoundError: If the run has no density yet.
        ValueError: If there is no image, or the folder holds scores by another network or density.
    """
    if n_shown < 1:
        raise ValueError(f"n_shown={n_shown}: expected at least 1")
    if not density_file(run).is_file():
        raise FileNotFoundError(
            f"{run} has no density, by which it knows images; run `cellxai density --run {run}`"
        )
    records = find_records([images] if isinstance(images, str) else images)
    trained = load_run(run, device)
    pipeline = read_density(run, trained.classifier)
    scorer = Scorer(trained, pipeline)
    folder = out or trained.folder.score
    table = folder / "scores.csv"
    with run_lock(folder, "written", "choose another --out"):
        claim_folder(folder, trained)
        keys = {record.id: key_of_file(record.path) for record in records}
        before = {row.key for row in mend_table(table, set(keys.values()))}
        missing = [record for record in records if keys[record.id] not in before]
        for chunk in stream_outputs(
            missing, trained.transforms, scorer.network(), trained.device, batch_size
        ):
            append_rows(table, scorer.rows(chunk, keys))
        wanted = set(keys.values())
        rows = [row for row in read_scores(table) if row.key in wanted]
        draw_sheet(folder / "sheet.png", rows, trained.transforms, n_shown)
    return summarise_rows(folder, rows, len(records) - len(missing), pipeline.calibration_.promises)


def summarise_rows(
    folder: Path, rows: Sequence[ScoreRow], n_before: int, promises: tuple[Promise, ...]
) -> ScoreSummary:
    """Counts what the rows say."""
    scored = [row for row in rows if not row.fault]
    return ScoreSummary(
        folder, len(scored), n_before, sum(row.unfamiliar == "1" for row in scored),
        promises, tuple(row.fault for row in rows if row.fault),
    )  # fmt: skip


def claim_folder(folder: Path, trained: TrainedRun) -> None:
    """Marks the folder as that of this network and this density.

    Raises:
        ValueError: If it is that of others, whose scores must not be mixed with these.
    """
    path = folder / "score.json"
    own = {
        "weights": hash_tensors(trained.classifier.state_dict()),
        "density": hash_file(density_file(trained.folder.root)),
        "transforms": hash_json(as_config(trained.transforms)),
    }
    if not path.is_file():
        if (folder / "scores.csv").exists():
            raise ValueError(f"{folder} holds scores.csv of unknown origin; choose another --out")
        write_json(path, own)
        return
    stored = read_json(path)
    for name, value in own.items():
        if not isinstance(stored, dict) or stored.get(name) != value:
            raise ValueError(
                f"{folder} holds scores by other {name}; choose another --out, or delete it"
            )
