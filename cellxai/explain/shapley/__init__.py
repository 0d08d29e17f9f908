"""Shapley values of superpixels: by leverage scores, and exact."""

from cellxai.explain.shapley.exact import ExactShapley
from cellxai.explain.shapley.leverage import LeverageShap
from cellxai.explain.shapley.stopping import StopAtError

__all__ = ["ExactShapley", "LeverageShap", "StopAtError"]
