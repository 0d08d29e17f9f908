"""``score``: what a trained run says of new images, and whether it knows such images."""

from cellxai.verbs.score.verb import ScoreSummary, score

__all__ = ["ScoreSummary", "score"]
