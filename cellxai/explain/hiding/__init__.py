"""Explainers that hide parts of the image: occlusion, ablation, Shapley values."""

from cellxai.explain.hiding.occlusion import FeatureAblation, Occlusion
from cellxai.explain.hiding.shapley import KernelShap, ShapleyValueSampling

__all__ = ["FeatureAblation", "KernelShap", "Occlusion", "ShapleyValueSampling"]
