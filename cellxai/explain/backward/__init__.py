"""Explainers that run the network backward: gradients, Grad-CAM, DeepLIFT, LRP, rollout."""

from cellxai.explain.backward.deeplift import DeepLift, DeepLiftShap
from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.backward.gradients import InputXGradient, IntegratedGradients, Saliency
from cellxai.explain.backward.guided import Deconvolution, GuidedBackprop, GuidedGradCam
from cellxai.explain.backward.lrp import LRP
from cellxai.explain.backward.rollout import AttentionRollout, GradientRollout
from cellxai.explain.backward.smoothing import GradientShap, SmoothGrad

__all__ = [
    "LRP",
    "AttentionRollout",
    "Deconvolution",
    "DeepLift",
    "DeepLiftShap",
    "GradCam",
    "GradientRollout",
    "GradientShap",
    "GuidedBackprop",
    "GuidedGradCam",
    "InputXGradient",
    "IntegratedGradients",
    "Saliency",
    "SmoothGrad",
]
