"""All explainers by their short names, and what is compared where a config names nothing."""

import difflib
from collections.abc import Iterable

from cellxai.explain.backward.deeplift import DeepLift, DeepLiftShap
from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.backward.gradients import InputXGradient, IntegratedGradients, Saliency
from cellxai.explain.backward.guided import Deconvolution, GuidedBackprop, GuidedGradCam
from cellxai.explain.backward.lrp import LRP
from cellxai.explain.backward.rollout import AttentionRollout, GradientRollout
from cellxai.explain.backward.smoothing import GradientShap, SmoothGrad
from cellxai.explain.base import Explainer
from cellxai.explain.controls import CentreGaussian, Edges, ImageItself, RandomAttribution
from cellxai.explain.hiding.occlusion import FeatureAblation, Occlusion
from cellxai.explain.hiding.shapley import KernelShap, ShapleyValueSampling
from cellxai.explain.lime.captum import CaptumLime
from cellxai.explain.lime.lime import Lime
from cellxai.explain.lime.reference import LimeReference
from cellxai.explain.metrics.base import ExplainerMetric, Metric
from cellxai.explain.metrics.complexity import EffectiveArea, Entropy, Gini
from cellxai.explain.metrics.faithfulness import DeletionAUC, InsertionAUC, Irof
from cellxai.explain.metrics.faithfulness_correlation import (
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    SensitivityN,
    SinglePartEffect,
)
from cellxai.explain.metrics.infidelity import Infidelity
from cellxai.explain.metrics.localisation import (
    PointingGame,
    RankAccuracy,
    RegionAuc,
    RelevanceMass,
    TopKIou,
)
from cellxai.explain.metrics.monotonicity import Monotonicity
from cellxai.explain.metrics.road import Road
from cellxai.explain.metrics.sanity import (
    EfficientRandomisation,
    ParameterRandomisation,
    RandomLogit,
)
from cellxai.explain.metrics.stability import (
    AverageSensitivity,
    LocalLipschitz,
    MaxSensitivity,
    RelativeInputStability,
    SeedStability,
    SegmentationStability,
)
from cellxai.explain.metrics.sufficiency import Sufficiency
from cellxai.explain.shapley.leverage import LeverageShap
from cellxai.explain.superpixels.methods import Grid


def standard_explainers() -> dict[str, Explainer]:
    """LIME with the 1000 samples its author advises, gradients, a CAM, occlusion, controls."""
    return {
        "LIME": Lime(n_samples=1000),
        "Saliency": Saliency(),
        "Integrated Gradients": IntegratedGradients(n_steps=32),
        "Grad-CAM": GradCam(),
        "Occlusion": Occlusion(window_px=16, stride_px=8),
        "edges (control)": Edges(),
        "random (control)": RandomAttribution(),
    }


def every_explainer(n_samples: int = 1000) -> dict[str, Explainer]:
    """All explainers by their short names, in families.

    Args:
        n_samples: Perturbed images of the methods that draw them: LIMEs, Kernel and Leverage SHAP.
    """
    return {
        "lime": Lime(n_samples),
        "lime-reference": LimeReference(n_samples),
        "lime-captum": CaptumLime(n_samples),
        "saliency": Saliency(),
        "input-x-gradient": InputXGradient(),
        "smoothgrad": SmoothGrad(),
        "integrated-gradients": IntegratedGradients(),
        "gradient-shap": GradientShap(),
        "deeplift": DeepLift(),
        "deeplift-shap": DeepLiftShap(),
        "lrp": LRP(),
        "lrp-plus-flat": LRP("epsilon-plus-flat"),
        "lrp-gamma-box": LRP("epsilon-gamma-box"),
        "attnlrp": LRP("attention"),
        "attnlrp-gamma": LRP("attention-gamma"),
        "guided-backprop": GuidedBackprop(),
        "deconvolution": Deconvolution(),
        "gradcam": GradCam(),
        "guided-gradcam": GuidedGradCam(),
        "gradient-rollout": GradientRollout(),
        "attention-rollout": AttentionRollout(),
        "occlusion": Occlusion(),
        "ablation": FeatureAblation(),
        "shapley-sampling": ShapleyValueSampling(),
        "kernel-shap": KernelShap(n_samples),
        "leverage-shap": LeverageShap(n_samples),
        "random": RandomAttribution(),
        "centre": CentreGaussian(),
        "edges": Edges(),
        "image": ImageItself(),
    }


def named_explainers(names: str) -> dict[str, Explainer]:
    """Explainers by their short names, in the order of a list such as ``lime,gradcam,random``.

    The brackets that YAML writes around a list count for nothing.

    Raises:
        ValueError: If a name is not in :func:`every_explainer`; with the nearest names.
    """
    known = every_explainer()
    wanted = [name.strip() for name in names.strip("[] ").split(",") if name.strip()]
    found = {name: known[look_up(name, known, "explainer")] for name in wanted}
    if not found:
        raise ValueError(f"explainers={names!r} names no explainer; known: {', '.join(known)}")
    return found


def look_up(name: str, known: Iterable[str], kind: str) -> str:
    """The known name that is meant; case, hyphens, underscores and spaces do not count.

    Raises:
        ValueError: If there is none; with the nearest names.
    """
    plain = {_plain(other): other for other in known}
    if _plain(name) in plain:
        return plain[_plain(name)]
    near = difflib.get_close_matches(_plain(name), plain, n=3, cutoff=0.4)
    meant = " or ".join(plain[other] for other in near)
    hint = f"did you mean {meant}?" if near else f"known: {', '.join(plain.values())}"
    raise ValueError(f"{kind}s={name!r}: no {kind} is called {name!r}; {hint}")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def standard_metrics(regions: set[str]) -> dict[str, Metric | ExplainerMetric]:
    """Two of faithfulness by curves, and one of each other family that needs no other model.

    Localisation is measured in each region that is known of the images. Every explainer runs twice
    more, with another seed and on a model of random weights.

    Args:
        regions: Names of the known regions, such as ``cells``.
    """
    metrics: dict[str, Metric | ExplainerMetric] = {
        "deletion": DeletionAUC(),
        "insertion": InsertionAUC(),
        "single-part effect": SinglePartEffect(),
        "seed stability": SeedStability(),
        "efficient randomisation": EfficientRandomisation(),
        "Gini": Gini(),
    }
    for region in sorted(regions):
        metrics[f"mass in {region}"] = RelevanceMass(region)
        metrics[f"pointing at {region}"] = PointingGame(region)
    return metrics


def every_metric(regions: Iterable[str] = ()) -> dict[str, Metric | ExplainerMetric]:
    """All metrics that need no other model, by their short names, in families.

    Args:
        regions: Names of the regions that are known of the images: localisation is measured in
            each, under names such as ``mass in cells``.
    """
    metrics: dict[str, Metric | ExplainerMetric] = {
        "deletion": DeletionAUC(),
        "insertion": InsertionAUC(),
        "irof": Irof(),
        "road": Road(),
        "single-part-effect": SinglePartEffect(),
        "faithfulness-correlation": FaithfulnessCorrelation(),
        "faithfulness-estimate": FaithfulnessEstimate(),
        "sensitivity-n": SensitivityN(),
        "infidelity": Infidelity(),
        "monotonicity": Monotonicity(),
        "sufficiency": Sufficiency(),
        "seed-stability": SeedStability(),
        "segmentation-stability": SegmentationStability(Grid(16)),
        "max-sensitivity": MaxSensitivity(),
        "average-sensitivity": AverageSensitivity(),
        "local-lipschitz": LocalLipschitz(),
        "relative-input-stability": RelativeInputStability(),
        "efficient-randomisation": EfficientRandomisation(),
        "parameter-randomisation": ParameterRandomisation(),
        "random-logit": RandomLogit(),
        "gini": Gini(),
        "entropy": Entropy(),
        "effective-area": EffectiveArea(),
    }
    for region in sorted(regions):
        metrics |= {
            f"mass in {region}": RelevanceMass(region),
            f"rank accuracy in {region}": RankAccuracy(region),
            f"pointing at {region}": PointingGame(region),
            f"top-k IoU with {region}": TopKIou(region),
            f"AUC of {region}": RegionAuc(region),
        }
    return metrics
