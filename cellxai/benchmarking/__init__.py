"""``benchmark`` and ``merge``: which explanation can be believed?"""

from cellxai.benchmarking.merging import merge
from cellxai.benchmarking.verb import Benchmark, benchmark

__all__ = ["Benchmark", "benchmark", "merge"]
