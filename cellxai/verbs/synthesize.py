"""``synthesize``: renders cells whose cause is known: phase contrast, or stained."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from cellxai.data.synthetic.anatomy import REAL_HEIGHT, REAL_WIDTH
from cellxai.data.synthetic.cues import CUE_KINDS, CueKind
from cellxai.data.synthetic.fluorescence import CLASSES as STAIN_CLASSES
from cellxai.data.synthetic.fluorescence.scene import check_stains
from cellxai.data.synthetic.fluorescence.structures import Stain
from cellxai.data.synthetic.fluorescence.write import StainPlan, write_stain_image
from cellxai.data.synthetic.foreign import FOREIGN_KINDS, ForeignKind
from cellxai.data.synthetic.scene import CLASSES
from cellxai.data.synthetic.write import AnnotationRow, Plan, map_images, write_image
from cellxai.files.folder import write_csv, write_json
from cellxai.files.returned import Returned

DEFAULT_CAUSE: Stain = "granules"
LEAST_SIDE_PX = 64  # a cell of a smaller frame is a few pixels, and no class is to be seen


@dataclass(frozen=True)
class Synthesized(Returned):
    """What ``synthesize`` made.

    Args:
        root: The folder, to be read as ``cellxai.data.readers.sartorius.Sartorius``, or stained
            cells as ``cellxai.data.readers.synthetic_stains.SyntheticStains``.
        n_images: Per class.
        seconds: Wall-clock time; 0 where the folder was there already.
    """

    root: Path
    n_images: dict[str, int]
    seconds: float

    def __str__(self) -> str:
        counts = ", ".join(f"{n} {label}" for label, n in self.n_images.items())
        if not self.seconds:
            return f"{self.root}: {counts}, as made before"
        return f"{self.root}: {counts}, in {self.seconds:.1f} s"


def synthesize(
    out: Path,
    n_images: int = 240,
    seed: int = 0,
    height: int = REAL_HEIGHT,
    width: int = REAL_WIDTH,
    spoiled: bool = False,
    magnification: float = 1.0,
    cue: CueKind | None = None,
    cue_agreement: float = 1.0,
    foreign: ForeignKind | None = None,
    n_workers: int = 1,
    stains: list[Stain] | None = None,
    cause: Stain | None = None,
) -> Synthesized:
    """Renders synthetic phase-contrast cells in the Sartorius layout, or stained cells.

    Writes ``train/*.png``, ``train.csv`` with one mask per cell, and ``causes/*.png``, white on the
    pixels that make the class; with a ``cue``, also ``cues/*.png``, white on it, and with something
    ``foreign``, ``foreign/*.png``. With ``stains`` it writes fluorescent cells of two classes
    instead: ``images/*.tif`` of one plane per stain, ``images.csv``, ``masks/*.png`` and
    ``causes/*.png``, the number of the plane that makes the class, from 1, where it does.

    The same arguments give the same bytes, whatever ``n_workers``. A folder that is complete is
    left as it is; an interrupted one is made anew. A script that passes ``n_workers`` above 1 needs
    the usual ``if __name__ == "__main__":``.

    Args:
        out: Folder to write to.
        n_images: Images in all, shared equally by the classes: three, or two of stained cells.
        seed: Seed of everything random, from 0.
        height: Height of the images, px; cells scale with it.
        width: Width of the images, px.
        spoiled: The same cells as no microscopist would keep them: far out of focus, under a fibre
            and a bubble. It shows what a density flags.
        magnification: 2 shows a quarter of the dish, every cell at twice the size.
        cue: A shortcut to plant beside the cells: a ``scale bar`` whose length tells the class, a
            ``corner tag`` of as many squares, or a ``tint`` from one side; null for none.
        cue_agreement: Probability that the cue tells the image's own class; a third tells nothing.
        foreign: One object in each image that no dish has: a ``fibre``, a ``bubble``, a flake of
            ``dust`` or a ``crystal``; null for none.
        n_workers: Processes that render.
        stains: Two to five of nucleus, membrane, granules, filaments and distractor, one plane
            each; null for phase contrast.
        cause: The stain whose arrangement makes the class, any but the distractor; null for
            granules. All other planes say nothing about it.

    Raises:
        ValueError: If an argument is out of range, or ``out`` holds other data.
    """
    agreement = None if cue is None else cue_agreement
    plan = Plan(
        n_images, seed, height, width, spoiled, magnification, cue, agreement, foreign
    )  # fmt: skip
    check_plan(plan, n_workers)
    if stains is None and cause is not None:
        raise ValueError(f"cause={cause!r} needs stains; pass stains=[nucleus, granules]")
    if stains is None:
        write = partial(write_image, out, plan)
        return make_folder(out, plan, CLASSES, "train.csv", write, n_workers)
    stained = plan_stains(plan, stains, cause or DEFAULT_CAUSE)
    write = partial(write_stain_image, out, stained)
    return make_folder(out, stained, STAIN_CLASSES, "images.csv", write, n_workers)


def make_folder(
    out: Path,
    plan: Plan | StainPlan,
    classes: tuple[str, ...],
    table: str,
    write: Callable[[int], list[AnnotationRow]],
    n_workers: int,
) -> Synthesized:
    """Writes the images of a plan and their table, unless they are there."""
    n_images = plan.n_images
    counts = {label: len(range(k, n_images, len(classes))) for k, label in enumerate(classes)}
    if is_complete(out, plan, table):
        return Synthesized(out, counts, 0.0)
    start = time.perf_counter()
    write_json(out / "synthesize.json", asdict(plan) | {"complete": False})
    images = map_images(write, n_images, n_workers)
    write_csv(out / table, [row for rows in images for row in rows])
    write_json(out / "synthesize.json", asdict(plan) | {"complete": True})
    return Synthesized(out, counts, time.perf_counter() - start)


def plan_stains(plan: Plan, stains: list[Stain], cause: Stain) -> StainPlan:
    """The plan of stained cells.

    Raises:
        ValueError: If an argument is of phase contrast alone, or the stains do not go together.
    """
    given = {"spoiled": plan.spoiled, "cue": plan.cue, "foreign": plan.foreign}
    for name, value in given.items():
        if value:
            raise ValueError(f"{name}={value} with stains: it is of phase contrast; leave it out")
    check_stains(stains, cause)
    return StainPlan(
        plan.n_images, plan.seed, plan.height, plan.width, plan.magnification, list(stains), cause
    )


def check_plan(plan: Plan, n_workers: int) -> None:
    """Raises ``ValueError`` for an argument that is out of range, naming it."""
    if not plan.magnification > 0:
        raise ValueError(f"magnification={plan.magnification}, expected a number above 0")
    if plan.cue not in (None, *CUE_KINDS):
        raise ValueError(f"cue={plan.cue!r}, expected one of {', '.join(CUE_KINDS)}, or none")
    if plan.foreign not in (None, *FOREIGN_KINDS):
        raise ValueError(
            f"foreign={plan.foreign!r}, expected one of {', '.join(FOREIGN_KINDS)}, or none"
        )
    if not 0 <= (plan.cue_agreement or 0) <= 1:
        raise ValueError(f"cue_agreement={plan.cue_agreement}, expected a probability in 0…1")
    least = {"n_images": len(CLASSES), "seed": 0, "height": LEAST_SIDE_PX, "width": LEAST_SIDE_PX}
    given = asdict(plan) | {"n_workers": n_workers}
    for name, lowest in (least | {"n_workers": 1}).items():
        if given[name] < lowest:
            raise ValueError(f"{name}={given[name]}, expected at least {lowest}")


def is_complete(out: Path, plan: Plan | StainPlan, table: str) -> bool:
    """Whether ``out`` holds what ``plan`` asks for; anything else in it is not written over."""
    record = out / "synthesize.json"
    if not record.exists():
        if out.is_dir() and any(out.iterdir()):
            raise ValueError(f"{out} holds other files; name a new or an empty folder as out")
        return False
    recorded = json.loads(record.read_text(encoding="utf-8"))
    for name, value in asdict(plan).items():
        if recorded.get(name) != value:
            raise ValueError(
                f"{out} was made with {name}={recorded.get(name)}, got {name}={value}; "
                f"name another folder as out, or delete this one"
            )
    return recorded.get("complete") is True and (out / table).is_file()
