"""``preview``: a data set in pictures and numbers, before anything is trained on it."""

from cellxai.verbs.preview.verb import Preview, preview

__all__ = ["Preview", "preview"]
