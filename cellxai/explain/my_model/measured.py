"""What ``measure`` and ``compare`` give back: explainers under metrics, with intervals."""

from dataclasses import asdict
from pathlib import Path

from cellxai.explain.results.score_arrays import Results
from cellxai.explain.tables.export import write_results
from cellxai.explain.tables.lines import score_lines
from cellxai.files.frame import Frame

SUMMARY = (
    "family", "metric", "direction", "explainer", "control", "mean", "low", "high", "n_images",
    "chance", "beats_controls", "p_controls", "n_degenerate", "n_unsupported", "n_failed",
    "n_missing", "n_inapplicable", "n_degraded", "status", "reason",
)  # fmt: skip
PRINTED = (
    "metric", "direction", "explainer", "mean", "low", "high", "n_images", "beats_controls",
    "status",
)  # fmt: skip


class Measured:
    """Scores of explainers; their table, and each image's own.

    Args:
        results: The scores with all that tables are made from.
        path: The store that they lie in; None where they lie in none.
    """

    def __init__(self, results: Results, path: Path | None = None) -> None:
        self.results = results
        self.path = path

    def to_frame(self) -> Frame:
        """A row per metric and explainer: mean over the images and its 95 % interval.

        :class:`cellxai.explain.tables.columns.ScoreLine` says what the columns are. Nothing that
        failed, was degenerate or had no truth is left out of the counts.
        """
        lines = [asdict(line) for line in score_lines(self.results)]
        return Frame([{name: line[name] for name in SUMMARY} for line in lines], SUMMARY)

    def scores(self) -> Frame:
        """A row per image, explainer, metric and seed, as the store keeps them."""
        names = ("image", "explainer", "metric", "seed", "value", "chance", "status", "reason")
        rows = [{name: getattr(row, name) for name in names} for row in self.results.rows]
        return Frame(rows, names)

    def save(self, folder: str | Path) -> Path:
        """Writes all tables of a benchmark into a folder: CSV, Parquet, Markdown and LaTeX."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_results(folder, self.results)
        return folder

    def _short(self) -> Frame:
        frame = self.to_frame()
        return Frame([{name: row[name] for name in PRINTED} for row in frame], PRINTED)

    def __repr__(self) -> str:
        at = "" if self.path is None else f"{self.path}\n"
        return f"{at}{self._short()!r}"

    def _repr_html_(self) -> str:
        return self._short()._repr_html_()
