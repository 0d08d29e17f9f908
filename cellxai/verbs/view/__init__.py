"""``view``: the page of a run live on this machine: drop images, get answers and explanations."""

from cellxai.verbs.view.verb import view

__all__ = ["view"]
