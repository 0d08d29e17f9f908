import pytest

from cellxai.data.synthetic.anatomy import ANATOMIES, REAL_HEIGHT, REAL_WIDTH, Frame
from cellxai.data.synthetic.scene import CLASSES


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.125])
def test_a_frame_of_the_real_shape_sees_what_a_real_one_does_at_any_size(scale):
    frame = Frame(round(REAL_HEIGHT * scale), round(REAL_WIDTH * scale), scale)
    assert frame.seen_share == pytest.approx(1)
    closer = Frame(frame.height, frame.width, 2 * scale)
    assert closer.seen_share == pytest.approx(1 / 4)


def test_every_class_has_an_anatomy_whose_ranges_go_upwards():
    assert {*ANATOMIES} == {*CLASSES}
    for anatomy in ANATOMIES.values():
        pairs = [value for value in vars(anatomy).values() if isinstance(value, tuple)]
        assert len(pairs) == 10
        assert all(least <= most for least, most in pairs)
        assert anatomy.processes[0] >= 1
