"""Views: ways of looking at an image, each with a density of what it sees."""

from cellxai.density.views.base import Seen, View
from cellxai.density.views.places import Places
from cellxai.density.views.vectors import Logits, Penultimate, Pixels, PooledLayer, Tones

__all__ = [
    "Logits",
    "Penultimate",
    "Pixels",
    "Places",
    "PooledLayer",
    "Seen",
    "Tones",
    "View",
]
