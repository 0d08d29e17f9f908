"""How known images are learned and what is flagged."""

from dataclasses import dataclass

from cellxai.density.views import View


@dataclass(frozen=True)
class PipelineSettings:
    """The views of an image, and how many known images may be flagged.

    Args:
        views: Ways of looking at an image, by name; null for those of the network at every depth,
            or of raw pixels.
        percent: Share of known images to flag, in percent.
        guarantee: The confidence, such as 0.95, with which no more than that share of new known
            images is flagged; null for that share on average.
        n_folds: Number of folds: each image is scored by densities of the other folds. Groups
            (plates, patients) stay whole.

    Raises:
        ValueError: If a setting is outside its range.
    """

    views: dict[str, View] | None = None
    percent: float = 4.0
    guarantee: float | None = None
    n_folds: int = 10

    def __post_init__(self) -> None:
        if self.views is not None and not self.views:
            raise ValueError("views={}: expected at least one, or null for the usual ones")
        if not 0 < self.percent < 100:
            raise ValueError(
                f"percent={self.percent}: expected a share between 0 and 100 such as 4"
            )
        if self.guarantee is not None and not 0 < self.guarantee < 1:
            raise ValueError(
                f"guarantee={self.guarantee}: expected a confidence between 0 and 1 such as 0.95"
            )
        if self.n_folds < 2:
            raise ValueError(f"n_folds={self.n_folds}: expected at least 2")
