"""Trainings of a fraction of a second."""

from small_training import cells, settings, weights

__all__ = ["cells", "settings", "weights"]
