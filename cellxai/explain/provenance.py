"""Which model a result was made with, as a short text that can be compared at the next start."""

from torch import nn

from cellxai.explain.base import Model
from cellxai.explain.score import Scored
from cellxai.files.identity import describe_with_code, hash_tensors, shorten


def identify_model(model: Model) -> str:
    """A module by its parameters and buffers, a function by its name; a score is told as well."""
    if isinstance(model, Scored):
        return f"{describe_with_code(model.score)} of {identify_model(model.model)}"
    if isinstance(model, nn.Module):
        return shorten(hash_tensors(model.state_dict()))
    return getattr(model, "__qualname__", type(model).__qualname__)
