"""``explain``: LIME beside Captum on a few images, as maps, pictures and what they cost."""

from cellxai.explanation.verb import Explained, explain, explain_run

__all__ = ["Explained", "explain", "explain_run"]
