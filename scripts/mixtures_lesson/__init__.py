"""The mixtures lesson, a section a file; ``reproduce_mixtures.py`` runs them all."""
