"""``score``: what a run says of new images, and which of them it should not be asked about."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cellxai.data.records import Record, Scan, Source
from cellxai.density.promises import Promise
from cellxai.evaluation.conformal import BETWEEN_CLASSES, NO_CLASS
from cellxai.evaluation.well_tables import WELLS
from cellxai.files.folder import RunFolder, read_json, write_json
from cellxai.files.frame import Frame, read_frame
from cellxai.files.lock import run_lock
from cellxai.files.returned import Returned
from cellxai.trained.image_stream import stream_outputs
from cellxai.training.settings import Device
from cellxai.verbs.score.known_networks import read_scorer
from cellxai.verbs.score.named_images import find_records
from cellxai.verbs.score.parts import cut_images, key_of_record
from cellxai.verbs.score.scorer import Scorer
from cellxai.verbs.score.sheet import draw_sheet
from cellxai.verbs.score.table import (
    ScoreRow,
    append_rows,
    fill_in,
    mend_table,
)
from cellxai.verbs.score.wells import write_wells

MOST_FAULTS_SHOWN = 5
TABLE = "scores.csv"
ADDED_LATER = ("sets of classes", "density")  # by evaluate and density
NOTHING_READ = 3  # exit code: neither a success nor a mistake in the command


@dataclass(frozen=True)
class ScoreSummary(Returned):
    """What ``score`` found.

    Args:
        folder: Where ``scores.csv`` and ``sheet.png`` lie.
        n_images: Number of the images that have scores, from this call or an earlier one.
        n_before: Number of the images, including broken ones, that an earlier call had done.
        n_unfamiliar: Number of the images that are flagged; ``None`` where no density was asked.
        promises: What the thresholds promise; none without a density.
        faults: What could not be read.
        classes: Number of the images by the class that they are taken for, the largest first.
        way_out: How a density is had; empty where there is one.
        n_in_set: Number of the images by how many classes they may have; empty without sets.
        sets_problem: Why there are no sets of classes, or what they cannot promise.
        n_wells: Number of the wells that ``wells.csv`` has a row for.
    """

    pictures = "sheet.png"

    folder: Path
    n_images: int
    n_before: int
    n_unfamiliar: int | None
    promises: tuple[Promise, ...]
    faults: tuple[str, ...]
    classes: Mapping[str, int] = field(default_factory=dict)
    way_out: str = ""
    n_in_set: Mapping[int, int] = field(default_factory=dict)
    sets_problem: str = ""
    n_wells: int = 0

    @property
    def exit_code(self) -> int:
        """0, or 3 where no image could be read."""
        return 0 if self.n_images else NOTHING_READ

    def to_frame(self) -> Frame:
        """A row per image: class, probabilities, and after ``density`` whether it is known."""
        return read_frame(self.folder / TABLE, text=("id", "path", "predicted", "well", "plate"))

    def __str__(self) -> str:
        counts = ", ".join(f"{label} {n}" for label, n in self.classes.items())
        lines = [
            f"{self.folder}: {self.n_images} images{f' ({counts})' if counts else ''}"
            f"{self._verdict()}"
        ]
        lines += map(str, self.promises)
        lines += [f"{self.n_before} of them were scored before"] if self.n_before else []
        lines += self._sets()
        lines += [f"{self.n_wells} wells: {self.folder / WELLS}"] if self.n_wells else []
        if self.way_out:
            lines += [f"whether they are known was not asked: {self.way_out}"]
        lines += [f"left out: {fault}" for fault in self.faults[:MOST_FAULTS_SHOWN]]
        more = len(self.faults) - MOST_FAULTS_SHOWN
        return "\n".join(lines + ([f"left out: {more} more, in scores.csv"] if more > 0 else []))

    def _sets(self) -> list[str]:
        counts = ", ".join(f"{n or 'none'} in {self.n_in_set[n]}" for n in sorted(self.n_in_set))
        lines = [f"number of possible classes: {counts} images"] if counts else []
        return lines + ([f"possible classes: {self.sets_problem}"] if self.sets_problem else [])

    def _verdict(self) -> str:
        if self.n_unfamiliar is None:
            return ""
        share = f" ({self.n_unfamiliar / self.n_images:.1%})" if self.n_images else ""
        return f", {self.n_unfamiliar} unfamiliar{share}"


def score(
    run: Path,
    images: list[str] | str | None = None,
    out: Path | None = None,
    masks: Path | None = None,
    n_shown: int = 24,
    error_rate: float = 0.1,
    by_class: bool = False,
    batch_size: int = 32,
    device: Device = "auto",
    data: Source | None = None,
) -> ScoreSummary:
    """Classifies new images and says which of them the classifier does not know.

    Writes ``scores.csv``, a row per image with the probability of each class, and ``sheet.png``,
    the most unfamiliar images first. Where the run has no density yet, the images are classified
    alone, and `cellxai density` followed by the same call adds whether they are known. The images
    are decoded and scored chunk by chunk, so that memory holds the pixels of one chunk and the
    names of all images. The same call continues one that was killed, and scores an image again
    that has changed. A broken image has a row that says so, and stops no other. Where `cellxai
    evaluate` was called, probabilities are calibrated by its temperature, and ``possible_classes``
    names the conformal set of each image: it lacks the true class in at most ``error_rate`` of the
    images that are like those of the validation part. Else they are the softmax of the logits.

    Args:
        run: The run folder of `cellxai fit`, or what `cellxai export` wrote.
        images: Files, folders with all below them, patterns such as ``plates/**/*.png``, and CSV
            tables with a column ``path``; one or a list of them. The other columns of a table go
            along into ``scores.csv``. Where one is ``well``, and maybe ``plate``, there are
            ``wells.csv``, ``plates.csv`` and ``plates.png`` too.
        out: Folder of the results; null for ``score`` in the folder of the run or export.
        masks: Folder of label maps of the same names as the images, for a run that was trained on
            single cells: each cell has a row. A table with a column ``mask`` says the same.
        n_shown: Number of images on the sheet.
        error_rate: Largest share of images whose possible classes may lack the true one.
        by_class: Whether that is to hold within each class; it takes more validation images.
        batch_size: Largest number of images per forward pass.
        device: Where to compute; "auto" takes a CUDA device when there is one.
        data: A data set in place of ``images``, such as one that joins files of single channels;
            its labels are not looked at.

    Raises:
        FileNotFoundError: If the folder holds neither a run nor an export.
        ValueError: If there is no image, masks are passed beside a data set, or the folder holds
            scores by another network or density.
    """
    if n_shown < 1:
        raise ValueError(f"n_shown={n_shown}: expected at least 1")
    if data is not None and masks is not None:
        raise ValueError(
            f"masks={masks} is for images; a data set says itself where its masks are "
            "(--data.masks of ImageFolder), and SingleCells cuts its cells; omit it"
        )
    scan = named_images(images, data)
    scorer = read_scorer(run, device, error_rate, by_class)
    if data is None:  # a data set says itself what an image is
        scan = cut_images(scan.records, scorer.data, list_names(images), masks)
    records = scan.records
    folder = out or RunFolder(run).score
    with run_lock(folder, "written", "choose another --out"):
        claim_folder(folder, scorer)
        keys = {record.id: key_of_record(record) for record in records}
        n_before = score_missing(folder / TABLE, scorer, records, keys, batch_size)
        wanted = set(keys.values())
        columns = {keys[record.id]: record.columns for record in records}
        rows = fill_in(folder / TABLE, wanted, scorer.classes, columns)
        n_wells = write_wells(folder, rows, columns, scorer.classes)
        by_path = {keys[record.id][0]: record for record in records}
        draw_sheet(folder / "sheet.png", rows, scorer.transforms, n_shown, by_path)
    summary = summarise_rows(folder, rows, n_before, scorer)
    unread = tuple(map(str, scan.faults))
    return replace(summary, n_wells=n_wells, faults=(*unread, *summary.faults))


def named_images(images: list[str] | str | None, data: Source | None) -> Scan:
    """The images of a call, and what else was found wrong with a data set.

    Raises:
        ValueError: If there are none, or both images and a data set are named.
    """
    if (images is None) == (data is None):
        raise ValueError(f"images={images!r} and data={data!r}: pass one of the two")
    if data is None:
        return Scan(tuple(find_records(list_names(images))))
    scan = data.scan()
    if not scan.records:
        first = f"; the first of {len(scan.faults)} faults: {scan.faults[0]}" if scan.faults else ""
        raise ValueError(f"data: no image to score{first}")
    return scan


def list_names(images: list[str] | str | None) -> list[str]:
    """What was named, as a list."""
    return [images] if isinstance(images, str) else images or []


def score_missing(
    table: Path,
    scorer: Scorer,
    records: Sequence[Record],
    keys: Mapping[str, tuple[str, str]],
    batch_size: int,
) -> int:
    """Scores the images that have no row yet; returns how many of them have one already."""
    rows = mend_table(table, set(keys.values()), scorer.classes)
    before = {row.key for row in rows}
    missing = [record for record in records if keys[record.id] not in before]
    for chunk in stream_outputs(
        missing, scorer.transforms, scorer.network, scorer.device, batch_size
    ):
        append_rows(table, scorer.rows(chunk, keys), scorer.classes)
    return len(records) - len(missing)


def summarise_rows(
    folder: Path, rows: Sequence[ScoreRow], n_before: int, scorer: Scorer
) -> ScoreSummary:
    """Counts what the rows say."""
    scored = [row for row in rows if not row.fault]
    known = scorer.pipeline
    return ScoreSummary(
        folder, len(scored), n_before,
        None if known is None else sum(row.unfamiliar == "1" for row in scored),
        () if known is None else known.calibration_.promises,
        tuple(row.fault for row in rows if row.fault),
        dict(Counter(row.predicted for row in scored).most_common()),
        scorer.way_out if known is None else "",
        count_set_sizes(scored), scorer.certainty.problem,
    )  # fmt: skip


def count_set_sizes(rows: Sequence[ScoreRow]) -> dict[int, int]:
    """Number of the images by how many classes they may have."""
    cells = [row.possible_classes for row in rows if row.possible_classes]
    sizes = (0 if cell == NO_CLASS else len(cell.split(BETWEEN_CLASSES)) for cell in cells)
    return dict(Counter(sizes))


def claim_folder(folder: Path, scorer: Scorer) -> None:
    """Marks the folder as that of this network and these densities.

    Where the same network had no density or sets of classes when it scored, its scores make room
    for fuller ones.

    Raises:
        ValueError: If it is that of others, whose scores must not be mixed with these.
    """
    path, own = folder / "score.json", dict(scorer.identity)
    if not path.is_file():
        if (folder / TABLE).exists():
            raise ValueError(f"{folder} holds {TABLE} of unknown origin; choose another --out")
        write_json(path, own)
        return
    stored = read_json(path)
    stored = stored if isinstance(stored, dict) else {}
    # What had not been asked yet is asked now of all images, which costs their scores so far.
    added = [name for name in ADDED_LATER if own[name] is not None and stored.get(name) is None]
    for name in own:
        if name not in added and stored.get(name) != own[name]:
            raise ValueError(
                f"{folder} holds scores by other {name}; choose another --out, or delete it"
            )
    if added:
        (folder / TABLE).unlink(missing_ok=True)
        write_json(path, own)
