"""``benchmark``: which explanation can be believed?"""

from cellxai.verbs.benchmark.verb import Benchmark, benchmark

__all__ = ["Benchmark", "benchmark"]
