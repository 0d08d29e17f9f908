import numpy as np
import pytest

from cellxai.data.synthetic.anatomy import ANATOMIES, Frame
from cellxai.data.synthetic.cells import grow_cells

FRAME = Frame(130, 176, 0.25)


def grow(label: str, seed: int = 0, frame: Frame = FRAME):
    return grow_cells(ANATOMIES[label], np.random.default_rng(seed), frame)


@pytest.mark.parametrize("label", ANATOMIES)
def test_parts_are_numbered_in_drawing_order_each_body_before_its_processes(label):
    parts = grow(label)
    assert [part.id for part in parts] == list(range(1, len(parts) + 1))
    latest = 0
    for part in parts:
        if part.kind == "body":
            latest = part.id
        assert part.cell == latest
    bodies = [part for part in parts if part.kind == "body"]
    assert {part.kind for part in parts} == {"body", ANATOMIES[label].process_kind}
    assert all(len(body.shapes) == 3 for body in bodies)  # light at the edge, cytoplasm, nucleus


@pytest.mark.parametrize("label", ANATOMIES)
def test_cells_have_as_many_processes_as_their_class(label):
    least, most = ANATOMIES[label].processes
    counts: dict[int, int] = {}
    for part in grow(label):
        counts[part.cell] = counts.get(part.cell, -1) + 1
    assert least <= min(counts.values()) <= max(counts.values()) <= most


def test_a_seed_grows_the_same_cells_and_another_seed_others():
    first, again, other = (grow("astro", seed) for seed in (0, 0, 1))
    outlines = [[shape.outline for part in parts for shape in part.shapes] for parts in
                (first, again, other)]  # fmt: skip
    assert all(map(np.array_equal, outlines[0], outlines[1]))
    assert len(outlines[0]) != len(outlines[2]) or not all(
        map(np.array_equal, outlines[0], outlines[2])
    )


def test_a_wider_look_shows_more_cells_of_the_same_size():
    near, far = grow("shsy5y"), grow("shsy5y", frame=Frame(260, 352, 0.25))
    n_near, n_far = (sum(part.kind == "body" for part in parts) for parts in (near, far))
    assert n_far == pytest.approx(4 * n_near, rel=0.02)
