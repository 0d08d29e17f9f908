"""A CUDA device that does not exist: it computes on the CPU and refuses what CUDA refuses."""

from pretended_cuda.counts import Counts, counted
from pretended_cuda.driver import install
from pretended_cuda.guard import missing_compiler

__all__ = ["Counts", "counted", "install", "missing_compiler"]
