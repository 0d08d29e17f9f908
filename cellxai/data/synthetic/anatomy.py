"""What the three classes look like, in the source notebook's words, as numbers to draw from."""

from dataclasses import dataclass

from cellxai.data.synthetic.parts import Kind

Range = tuple[float, float]

REAL_HEIGHT, REAL_WIDTH = 520, 704  # the frame for which the lengths below are given


@dataclass(frozen=True)
class Anatomy:
    """What cells of a class look like. Pairs are (least, most); lengths are px of a real frame.

    Args:
        colonies: Groups of cells per real frame, evenly spread.
        cells: Cells per group.
        spacing: Distance between neighbours in a group, in radii.
        radius: Radius of a body.
        elongation: Ratio of the long to the short axis of a body.
        processes: Processes per cell.
        length: Length of a process.
        width: Width of a process where it leaves the body.
        tip: Width of a process at its end, relative to ``width``.
        wander: Turn per ninth of a process, rad (standard deviation).
        branching: Probability that a process forks.
        drawn_out: How far a body's corner is pulled towards a process, in radii.
        thickness: Optical thickness of a body, grey levels.
        limb_share: Optical thickness of a process, relative to its body.
        process_kind: ``neurite`` for processes that annotators do not trace.
    """

    colonies: tuple[int, int]
    cells: tuple[int, int]
    spacing: float
    radius: Range
    elongation: Range
    processes: tuple[int, int]
    length: Range
    width: Range
    tip: float
    wander: float
    branching: float
    drawn_out: Range
    thickness: Range
    limb_share: Range
    process_kind: Kind


ANATOMIES = {
    "shsy5y": Anatomy(
        colonies=(240, 380),
        cells=(1, 1),
        spacing=0.0,
        radius=(4.5, 7.5),
        elongation=(1.2, 2.6),
        processes=(2, 4),
        length=(8.0, 70.0),
        width=(0.8, 2.4),
        tip=0.1,
        wander=0.08,
        branching=0.1,
        drawn_out=(0.5, 2.0),
        thickness=(40.0, 70.0),
        limb_share=(0.5, 0.9),
        process_kind="process",
    ),
    "astro": Anatomy(
        colonies=(7, 13),
        cells=(1, 1),
        spacing=0.0,
        radius=(7.0, 12.0),
        elongation=(1.0, 2.0),
        processes=(3, 7),
        length=(45.0, 170.0),
        width=(2.5, 6.5),
        tip=0.15,
        wander=0.11,
        branching=0.55,
        drawn_out=(0.6, 2.0),
        thickness=(40.0, 70.0),
        limb_share=(0.5, 0.9),
        process_kind="process",
    ),
    "cort": Anatomy(
        colonies=(5, 9),
        cells=(5, 8),
        spacing=2.0,
        radius=(9.5, 13.5),
        elongation=(1.0, 1.35),
        processes=(5, 9),
        length=(25.0, 170.0),
        width=(0.1, 0.8),
        tip=0.3,
        wander=0.18,
        branching=0.35,
        drawn_out=(0.0, 0.3),
        thickness=(40.0, 70.0),
        limb_share=(0.2, 0.6),
        process_kind="neurite",
    ),
}


@dataclass(frozen=True)
class Frame:
    """The window through which a dish is seen.

    Args:
        height: Px.
        width: Px.
        scale: Px of this frame per px of a real one of 520 rows, for every length.
    """

    height: int
    width: int
    scale: float

    @property
    def seen_share(self) -> float:
        """How much of the dish that a real frame shows is to be seen in this one."""
        return self.height * self.width / (self.scale**2 * REAL_HEIGHT * REAL_WIDTH)
