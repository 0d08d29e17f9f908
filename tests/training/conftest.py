"""Trainings of a fraction of a second, whose curves are composed but not rendered."""

import pytest
from small_training import cells, settings, weights

__all__ = ["cells", "settings", "weights"]


@pytest.fixture(autouse=True)
def _blank_curves(unrendered) -> None:
    """``tests/figures/test_curves.py`` renders them."""
