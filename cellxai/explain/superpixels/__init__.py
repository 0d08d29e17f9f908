"""Superpixels: the parts of an image that are hidden, ranked and coloured together."""
