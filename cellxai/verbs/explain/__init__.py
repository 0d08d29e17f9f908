"""``explain``: LIME beside Captum on a few images, as maps, pictures and what they cost."""

from cellxai.verbs.explain.question import Question
from cellxai.verbs.explain.verb import Explained, explain, explain_run

__all__ = ["Explained", "Question", "explain", "explain_run"]
