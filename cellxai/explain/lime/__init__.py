"""LIME: our own, its author's package, and Captum's."""

from cellxai.explain.lime.captum import CaptumLime
from cellxai.explain.lime.designs import (
    Antithetic,
    Bernoulli,
    Design,
    Locality,
    OrthogonalArray,
    StratifiedSizes,
)
from cellxai.explain.lime.lime import Lime
from cellxai.explain.lime.reference import LimeReference
from cellxai.explain.lime.stopping import Stop

__all__ = [
    "Antithetic",
    "Bernoulli",
    "CaptumLime",
    "Design",
    "Lime",
    "LimeReference",
    "Locality",
    "OrthogonalArray",
    "Stop",
    "StratifiedSizes",
]
