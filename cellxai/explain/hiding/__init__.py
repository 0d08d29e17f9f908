"""Explainers that hide one part of the image after the other."""
