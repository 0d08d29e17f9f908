"""Trainings of a fraction of a second; pictures are rendered in what a module makes once."""

import pytest
from small_training import cells, settings, weights

__all__ = ["cells", "settings", "weights"]


@pytest.fixture(autouse=True)
def _blank_pictures(unrendered) -> None:
    """A test that is about its picture is marked ``renders``."""
