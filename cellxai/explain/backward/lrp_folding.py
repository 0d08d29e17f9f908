"""A BatchNorm folded into the convolution whose output it normalises."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.backward.rules import Call


@dataclass(frozen=True)
class Convolution:
    """The arguments of torch's ``conv2d``, by its names."""

    input: Tensor
    weight: Tensor
    bias: Tensor | None = None
    stride: int | Sequence[int] = 1
    padding: int | str | Sequence[int] = 0
    dilation: int | Sequence[int] = 1
    groups: int = 1


@dataclass(frozen=True)
class BatchNorm:
    """The arguments of torch's ``batch_norm``, by its names; statistics are None in training."""

    input: Tensor
    running_mean: Tensor | None
    running_var: Tensor | None
    weight: Tensor | None = None
    bias: Tensor | None = None
    training: bool = False
    momentum: float = 0.1
    eps: float = 1e-5


def fold(call: Call, norm: BatchNorm) -> Call:
    """The convolution whose weight and bias include the normalisation that follows it."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    convolution = Convolution(*call.args, **call.kwargs)
    scale = (norm.running_var + norm.eps).rsqrt() * (1.0 if norm.weight is None else norm.weight)
    centred = (0.0 if convolution.bias is None else convolution.bias) - norm.running_mean
    shift = centred * scale + (0.0 if norm.bias is None else norm.bias)
    kernel = convolution.weight * scale[:, None, None, None]
    settings = (convolution.stride, convolution.padding, convolution.dilation, convolution.groups)
    # What is made of weights alone must not look active, where a plain function cannot be frozen.
    args = (convolution.input, kernel.detach(), shift.detach(), *settings)
    return Call("conv2d", F.conv2d, args, {})
