"""What CUDA does with each operation, as far as a host can tell."""

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten

SYNCHRONISE = {  # their result's size or value has to be known by the host
    "nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "_unique",
    "bincount", "equal", "_local_scalar_dense", "is_nonzero", "_linalg_check_errors",
    "_linalg_eigh", "linalg_eig", "_linalg_svd", "allclose", "nonzero_static",
}  # fmt: skip

NO_KERNEL = {
    "empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "detach", "alias",
    "lift_fresh", "_local_scalar_dense", "is_nonzero", "_fused_sdp_choice", "lift", "_unsafe_view",
    "_reshape_alias", "record_stream", "is_pinned", "_has_compatible_shallow_copy_type", "size",
    "is_same_size", "stride", "resize_", "sym_size", "_conj", "result_type",
}  # fmt: skip

INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
CROSSING = {"_to_copy", "copy_", "copy", "_foreach_copy_", "_copy_from"}

NO_INTEGERS = {  # "addmm_impl_cuda" is not implemented for whole numbers
    "mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot", "addbmm", "convolution", "vdot",
    "_addmm_activation",
}  # fmt: skip

TAKES_SCALARS = {  # of the CPU, beside tensors of the device
    "fill", "fill_", "masked_fill", "masked_fill_", "where", "lerp", "index_fill", "index_fill_",
    "_fused_adamw_", "_foreach_mul_", "_foreach_mul", "_foreach_add_", "_foreach_add",
    "_foreach_div_", "_foreach_lerp_", "_foreach_addcdiv_", "searchsorted",
}  # fmt: skip

UNREPEATABLE = {  # torch.use_deterministic_algorithms names them
    "_adaptive_avg_pool2d_backward", "adaptive_max_pool2d_backward", "upsample_linear1d_backward",
    "upsample_bilinear2d_backward", "upsample_bicubic2d_backward", "upsample_trilinear3d_backward",
    "upsample_nearest1d_backward", "upsample_nearest2d_backward",
    "_upsample_bilinear2d_aa_backward", "reflection_pad1d_backward", "reflection_pad2d_backward",
    "replication_pad1d_backward", "replication_pad2d_backward", "replication_pad3d_backward",
    "max_unpool2d", "avg_pool3d_backward", "grid_sampler_2d_backward", "kthvalue", "histc", "put_",
    "nll_loss2d_forward", "nll_loss2d_backward", "_ctc_loss_backward",
}  # fmt: skip

RESHAPED_IN_PLACE = {
    name: getattr(aten, name)
    for name in ("squeeze_", "unsqueeze_", "t_", "transpose_", "swapdims_", "swapaxes_")
}

PRODUCTS = {"mm", "addmm", "bmm", "baddbmm", "addmv"}
CONVOLUTIONS = {"convolution", "convolution_backward"}
ADDED_TO = {"addmm", "baddbmm", "addmv"}  # their first tensor is no factor


def is_unrepeatable(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether CUDA has no deterministic form of it."""
    if name in ("median", "nanmedian"):
        return len(args) > 1 or "dim" in kwargs  # only with indices
    if name in ("cumsum", "cumsum_"):
        return args[0].is_floating_point()
    if name == "bincount":
        return (len(args) > 1 and args[1] is not None) or kwargs.get("weights") is not None
    if name in ("scatter_reduce", "scatter_reduce_"):
        return args[4] in ("sum", "mean") and args[0].dim() > 1
    if name in ("scatter_add", "scatter_add_"):
        return args[0].dim() > 1
    return name in UNREPEATABLE


def synchronises(name: str, kwargs: dict[str, Any]) -> bool:
    """Whether the host waits for its result."""
    return name in SYNCHRONISE or (
        name == "repeat_interleave" and kwargs.get("output_size") is None
    )


def is_rounded(name: str) -> bool:
    """Whether tensor cores may read its float32 factors as TF32, by torch's switches."""
    if name in PRODUCTS:
        return torch.backends.cuda.matmul.fp32_precision == "tf32"
    return name in CONVOLUTIONS and torch.backends.cudnn.conv.fp32_precision == "tf32"


def as_tf32(x: Tensor) -> Tensor:
    """What tensor cores read of a float32: 10 bits of its mantissa, rounded to nearest."""
    if x.dtype != torch.float32:
        return x
    bits = x.contiguous().view(torch.int32)
    rounded = (bits + 0x0FFF + ((bits >> 13) & 1)) & ~0x1FFF
    return rounded.view(torch.float32).reshape(x.shape)


def round_factors(name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The factors of a product as its tensor cores read them."""
    kept = 0 if name in ADDED_TO else None
    return tuple(
        as_tf32(arg) if isinstance(arg, Tensor) and i != kept else arg for i, arg in enumerate(args)
    )
