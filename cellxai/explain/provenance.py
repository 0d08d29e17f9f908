"""What a result was made with, as short texts that can be compared at the next start."""

import inspect
import zlib
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from cellxai.explain.base import Model
from cellxai.explain.score import Scored


def described(settings: object) -> str:
    """Class and ``__init__`` arguments of a settings object, nested ones included.

    Raises:
        ValueError: If an argument is not kept as an attribute of the same name.
    """
    if type(settings).__repr__ is not object.__repr__:
        return repr(settings)
    kind = type(settings)
    name = f"{kind.__module__}.{kind.__qualname__}"
    arguments = []
    for argument in inspect.signature(kind).parameters:
        if not hasattr(settings, argument):
            raise ValueError(
                f"{name} keeps no attribute '{argument}', so its results cannot be told from "
                f"others; set self.{argument} = {argument} in __init__"
            )
        arguments.append(f"{argument}={described(getattr(settings, argument))}")
    return f"{name}({', '.join(arguments)})"


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """CRC-32 of names and contents: equal tensors, equal text, on any device."""
    crc = 0
    for name, tensor in tensors.items():
        crc = zlib.crc32(f"{name} {tensor.dtype} {list(tensor.shape)}".encode(), crc)
        crc = zlib.crc32(tensor.detach().cpu().contiguous().numpy().tobytes(), crc)
    return f"crc32:{crc:08x}"


def model_fingerprint(model: Model) -> str:
    """Of a module's parameters and buffers; of a plain function, its name; of a score, both."""
    if isinstance(model, Scored):
        return f"{described_with_code(model.score)} of {model_fingerprint(model.model)}"
    if isinstance(model, nn.Module):
        return fingerprint(model.state_dict())
    return getattr(model, "__qualname__", type(model).__qualname__)


def described_with_code(settings: object) -> str:
    """Settings, and for a class of the user's own also its file: once edited, it is another one."""
    ours = type(settings).__module__.startswith("cellxai.")
    text = described(settings)
    return text if ours else f"{text} {code_fingerprint(settings)}".rstrip()


def code_fingerprint(settings: object) -> str:
    """CRC-32 of the file that a settings object's class is written in; empty where there is none.

    An explainer that its user edits between two starts is another one, under the same name.
    """
    try:
        source = inspect.getsourcefile(type(settings))
    except (TypeError, OSError):  # made by hand, or on the command line: in no file
        return ""
    path = Path(source or "")
    return f"crc32:{zlib.crc32(path.read_bytes()):08x}" if path.is_file() else ""
