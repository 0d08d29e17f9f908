"""``density``: which images does a classifier, or a mixture of raw pixels, not know?"""

from cellxai.verbs.density.verb import density

__all__ = ["density"]
