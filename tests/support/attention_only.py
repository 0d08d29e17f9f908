"""Explainers that read attention, and so say nothing of the convolutional networks of most tests.

`tests/explain/backward/test_rollout.py` asks them about transformers.
"""

from cellxai.explain.base import Explainer
from cellxai.explain.catalogue import every_explainer

OF_ATTENTION = {"gradient-rollout", "attention-rollout"}


def explainers_of_any_network(n_samples: int) -> dict[str, Explainer]:
    """All explainers but those of attention, by their short names."""
    explainers = every_explainer(n_samples)
    return {name: explainers[name] for name in explainers if name not in OF_ATTENTION}
