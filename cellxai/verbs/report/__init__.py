"""``report``: the saved results of a run as one page, or of several runs side by side."""

from cellxai.verbs.report.several import SeveralPage
from cellxai.verbs.report.verb import ReportPage, report

__all__ = ["ReportPage", "SeveralPage", "report"]
