"""A trained classifier as files that need neither its run folder nor its data set.

``export`` is the verb; ``load_exported`` reads what it wrote and scores images.
"""

from cellxai.verbs.export.loading import (
    ExportedModel,
    load_exported,
    load_exported_as_allowed,
)
from cellxai.verbs.export.verb import Exported, export

__all__ = ["Exported", "ExportedModel", "export", "load_exported", "load_exported_as_allowed"]
