import numpy as np
import pytest

from cellxai.data.synthetic.anatomy import Frame
from cellxai.data.synthetic.debris import scatter_debris, scatter_foreign

FRAME = Frame(260, 352, 0.5)


@pytest.mark.parametrize("scatter", [scatter_debris, scatter_foreign])
def test_parts_belong_to_no_cell_and_are_numbered_from_the_first_free_id(scatter):
    parts = scatter(np.random.default_rng(0), FRAME, 17)
    assert [part.id for part in parts] == list(range(17, 17 + len(parts)))
    assert {part.cell for part in parts} == {0}
    (kind,) = {part.kind for part in parts}
    assert kind in scatter.__name__


def test_the_same_random_numbers_scatter_the_same_debris():
    first, again = (scatter_debris(np.random.default_rng(3), FRAME, 1) for _ in range(2))
    outlines = [[shape.outline for part in parts for shape in part.shapes]
                for parts in (first, again)]  # fmt: skip
    assert len(outlines[0]) == len(outlines[1])
    assert all(map(np.array_equal, *outlines))


def test_clean_dishes_are_commoner_than_dirty_ones_and_none_has_more_than_the_most():
    counts = [len(scatter_debris(np.random.default_rng(seed), FRAME, 1)) for seed in range(200)]
    assert min(counts) >= 10 + 3
    assert max(counts) <= 120 + 30 + 2 + 1
    assert np.median(counts) < (min(counts) + max(counts)) / 2


def test_a_fibre_crosses_the_frame_and_a_bubble_lies_in_it():
    for seed in range(5):
        fibre, bubble = scatter_foreign(np.random.default_rng(seed), FRAME, 1)
        xs = fibre.shapes[0].outline[:, 0] / 16
        assert xs.min() < 20
        assert np.ptp(xs) > 0.6 * FRAME.width
        centre = bubble.shapes[0].outline.mean(0) / 16
        assert (centre > 0).all()
        assert (centre < (FRAME.width, FRAME.height)).all()
        radii = [np.ptp(shape.outline[:, 0]) for shape in bubble.shapes]
        assert radii == sorted(radii, reverse=True)
