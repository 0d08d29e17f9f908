"""Superpixels: the parts of an image that are hidden, ranked and coloured together."""

from cellxai.explain.superpixels.base import Superpixels
from cellxai.explain.superpixels.instances import FromMasks
from cellxai.explain.superpixels.methods import Felzenszwalb, Grid, Quickshift, Slic, Watershed

__all__ = ["Felzenszwalb", "FromMasks", "Grid", "Quickshift", "Slic", "Superpixels", "Watershed"]
