import torch

from cellxai.explain.base import MOST_PIXELS, context_of
from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.superpixels.methods import Grid


def test_large_images_come_in_smaller_batches_and_never_in_none():
    def batch_size(side: int) -> int:
        return context_of(
            torch.rand(1, 3, side, side), Grid(size_px=side), ConstantBaseline(0.0), batch_size=8
        ).batch_size

    assert batch_size(64) == 8
    assert batch_size(896) == MOST_PIXELS // 896**2 == 2
    assert batch_size(1400) == 1
