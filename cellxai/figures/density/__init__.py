"""Pictures of log-densities: scores, the fit, the threshold, other detectors, single images."""

from cellxai.figures.density.anomalies import ExplainedAnomaly, draw_anomalies
from cellxai.figures.density.clusters import draw_clusters, draw_generated
from cellxai.figures.density.detectors import DetectorScore, draw_detectors
from cellxai.figures.density.histogram import draw_histogram
from cellxai.figures.density.projection import PlaneMixture, draw_projection
from cellxai.figures.density.selection import SweepCurves, draw_selection
from cellxai.figures.density.severity import SeverityScore, draw_severity
from cellxai.figures.density.sheet import ScoredImage, draw_scored_images
from cellxai.figures.density.threshold import ThresholdReliability, draw_threshold_reliability
from cellxai.figures.density.views import SetOfViews, draw_views

__all__ = [
    "DetectorScore",
    "ExplainedAnomaly",
    "PlaneMixture",
    "ScoredImage",
    "SetOfViews",
    "SeverityScore",
    "SweepCurves",
    "ThresholdReliability",
    "draw_anomalies",
    "draw_clusters",
    "draw_detectors",
    "draw_generated",
    "draw_histogram",
    "draw_projection",
    "draw_scored_images",
    "draw_selection",
    "draw_severity",
    "draw_threshold_reliability",
    "draw_views",
]
