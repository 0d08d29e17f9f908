"""Fitted estimators on disk, and back."""

from gmm.persistence.saving import load, mixture_of, save

__all__ = ["load", "mixture_of", "save"]
