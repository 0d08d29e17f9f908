"""The verbs ``check`` and ``preview``: a data set before anything is trained on it."""

from cellxai.inspection.checking import CheckReport, check
from cellxai.inspection.previewing import Preview, preview

__all__ = ["CheckReport", "Preview", "check", "preview"]
