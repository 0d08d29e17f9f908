"""With how many digits a CUDA device multiplies float32 numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch

Precision = Literal["exact", "fast"]
"""``exact`` multiplies float32 as a CPU does, with 24 bits; ``fast`` lets tensor cores round the
factors to 11 bits (TF32), which moves the logits of a trained network in their third digit."""


@contextmanager
def float32_products(precision: Precision) -> Iterator[None]:
    """Convolutions and matrix products of the block in a precision, whatever is switched on.

    torch's own default is neither: convolutions round, and matrix products do not. A CPU computes
    as ever, and so does what runs in bfloat16.
    """
    cudnn: Any = torch.backends.cudnn
    matmul: Any = torch.backends.cuda.matmul
    before = (cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision, matmul.fp32_precision)
    # The older switch, which sets both of cuDNN's: others who read it refuse to find them apart.
    cudnn.allow_tf32 = precision == "fast"
    matmul.fp32_precision = "tf32" if precision == "fast" else "ieee"
    try:
        yield
    finally:
        cudnn.allow_tf32 = "tf32" in before[:2]
        if before[0] != before[1]:
            cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision = before[:2]
        matmul.fp32_precision = before[2]
