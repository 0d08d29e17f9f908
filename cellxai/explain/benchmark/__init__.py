"""The benchmark: images × explainers × metrics × seeds, resumable at every moment."""

from cellxai.explain.benchmark.items import Item
from cellxai.explain.benchmark.plan import Setup, planned_keys
from cellxai.explain.benchmark.running import Progress, run_benchmark

__all__ = ["Item", "Progress", "Setup", "planned_keys", "run_benchmark"]
