"""The benchmark: images × explainers × metrics × seeds, resumable at every moment."""

from cellxai.explain.benchmark.engine import Progress, run_benchmark
from cellxai.explain.benchmark.items import Item
from cellxai.explain.benchmark.plan import Setup, planned_keys

__all__ = ["Item", "Progress", "Setup", "planned_keys", "run_benchmark"]
