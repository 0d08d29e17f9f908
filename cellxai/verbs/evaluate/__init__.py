"""``evaluate``: how often a trained classifier is right, and where it is wrong."""

from cellxai.verbs.evaluate.verb import NOTES, Evaluation, evaluate, evaluate_run

__all__ = ["NOTES", "Evaluation", "evaluate", "evaluate_run"]
