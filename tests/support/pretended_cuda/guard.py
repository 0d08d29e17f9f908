"""Compiles and loads the part of the pretended device that Python cannot be."""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch

SOURCE = Path(__file__).with_name("guard.cpp")


def missing_compiler() -> str:
    """Why there is no pretended device here; empty where there is."""
    if _compiler() is None:
        return "the pretended CUDA device needs a C++ compiler, and neither c++ nor g++ is here"
    return ""


def _compiler() -> str | None:
    return shutil.which("c++") or shutil.which("g++")


def load_guard() -> None:
    """Puts guard and hooks in the place of torch's; compiled once for each version of torch."""
    digest = hashlib.sha256(SOURCE.read_bytes() + torch.__version__.encode()).hexdigest()[:16]
    library = Path(tempfile.gettempdir()) / f"pretended_cuda-{os.getuid()}-{digest}.so"
    if not library.exists():
        _compile(library)
    ctypes.CDLL(str(library)).install_guard()


def _compile(library: Path) -> None:
    compiler, root = _compiler(), Path(torch.__file__).parent
    assert compiler, missing_compiler()
    partial = library.with_suffix(f".{os.getpid()}")  # whole or not at all, for several processes
    subprocess.run(
        [compiler, "-O1", "-fPIC", "-shared", "-std=c++20", f"-I{root / 'include'}", str(SOURCE),
         "-o", str(partial), f"-L{root / 'lib'}", "-lc10", "-ltorch_cpu"],
        check=True,
    )  # fmt: skip
    partial.replace(library)
