"""``evaluate``: how often a trained classifier is right, and where it is wrong."""

from cellxai.verbs.evaluate.verb import (
    NOTES,
    EvaluationSummary,
    evaluate,
    evaluate_once,
    evaluate_run,
)

__all__ = ["NOTES", "EvaluationSummary", "evaluate", "evaluate_once", "evaluate_run"]
