"""What is compared where a config names nothing: LIME, four Captum methods and two controls."""

from cellxai.explain.base import Explainer
from cellxai.explain.controls import Edges, RandomAttribution
from cellxai.explain.gradcam import GradCam
from cellxai.explain.gradients import IntegratedGradients, Saliency
from cellxai.explain.lime_reference import LimeReference
from cellxai.explain.metrics.base import Metric
from cellxai.explain.metrics.complexity import Gini
from cellxai.explain.metrics.faithfulness import DeletionAUC, InsertionAUC
from cellxai.explain.metrics.localisation import PointingGame, RelevanceMass
from cellxai.explain.occlusion import Occlusion


def standard_explainers() -> dict[str, Explainer]:
    """LIME with the 1000 samples its author advises, gradients, a CAM, occlusion, controls."""
    return {
        "LIME": LimeReference(n_samples=1000),
        "Saliency": Saliency(),
        "Integrated Gradients": IntegratedGradients(n_steps=32),
        "Grad-CAM": GradCam(),
        "Occlusion": Occlusion(window_px=16, stride_px=8),
        "edges (control)": Edges(),
        "random (control)": RandomAttribution(),
    }


def standard_metrics(regions: set[str]) -> dict[str, Metric]:
    """Faithfulness and sparsity always, localisation in each region that is known of the images."""
    metrics: dict[str, Metric] = {
        "deletion": DeletionAUC(),
        "insertion": InsertionAUC(),
        "Gini": Gini(),
    }
    for region in sorted(regions):
        metrics[f"mass in {region}"] = RelevanceMass(region)
        metrics[f"pointing at {region}"] = PointingGame(region)
    return metrics
