"""New images judged by a trained run: what they are, and whether the run knows such images."""

from cellxai.verbs.score.verb import Scores, score

__all__ = ["Scores", "score"]
