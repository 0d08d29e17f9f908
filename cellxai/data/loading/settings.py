"""How prepared images are kept and brought to the network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cellxai.data.loading.sampling import Order

PIPELINES = ("albumentations", "tensor")


@dataclass(frozen=True)
class LoadingSettings:
    """Where prepared images lie and what augments them. What validation sees depends on none of it.

    Args:
        cache: A folder that keeps prepared images between runs and is shared by them; ``None`` to
            prepare them anew in each run. It may be deleted at any time.
        pipeline: ``albumentations`` augments image by image; ``tensor`` a batch at a time on the
            device of the training, where all training images then lie as 8-bit pixels. The two draw
            from the same distributions and not the same numbers.
        workers: Processes that augment beside the training, with the first pipeline; the weights do
            not depend on how many. Worth it where augmenting an image takes longer than training
            on it.
        order: ``shuffled`` takes every training image once an epoch; ``balanced`` as many, with all
            classes equally often: images of a small class several times, of a large one a part.

    Raises:
        ValueError: If the pipeline is unknown, or given workers that it has no use for.
    """

    cache: Path | None = None
    pipeline: Literal["albumentations", "tensor"] = "albumentations"
    workers: int = 0
    order: Order = "shuffled"

    def __post_init__(self) -> None:
        if self.pipeline not in PIPELINES:
            raise ValueError(f"pipeline={self.pipeline!r}: expected {' or '.join(PIPELINES)}")
        if self.workers < 0:
            raise ValueError(f"loading.workers={self.workers}: expected 0 or more")
        if self.workers and self.pipeline == "tensor":
            raise ValueError(
                f"loading.workers={self.workers}: pipeline=tensor augments on the device of the "
                "training; pass workers=0, or pipeline=albumentations"
            )
