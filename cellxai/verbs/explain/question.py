"""What ``explain`` asks of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cellxai.adapters.explained_classes import ClassChoice
from cellxai.adapters.explained_score import ScoreName
from cellxai.explain.base import Explainer
from cellxai.explain.baselines import Baseline, BlurBaseline
from cellxai.explain.catalogue import standard_explainers
from cellxai.explain.precision import Precision
from cellxai.explain.score import Score
from cellxai.explain.superpixels.base import Superpixels
from cellxai.explain.superpixels.methods import Slic
from cellxai.figures.explanations.lime_mask import LimeMask


@dataclass(frozen=True)
class Question:
    """What is asked of a run: which images, by which explainers, of which score.

    Args:
        explainers: Explainers by name.
        superpixels: What LIME hides and what the pictures outline.
        baseline: What replaces hidden pixels.
        images: Ids of the run's images, files, folders and patterns; ``None`` for the first of each
            class.
        images_per_class: How many of each class, where no image is named.
        part: Where they are taken from; ``None`` for the part that influenced the training least.
        score: What is explained of the predicted class, or of the image.
        classes: Which classes of each image.
        mask: What the picture of LIME shows in its second panel; ``None`` for the three strongest.
        seed: Seed of every random choice.
        batch_size: Images per forward pass at most; ``None`` for what is fastest here.
        precision: With how many digits a CUDA device multiplies float32 numbers.
    """

    explainers: Mapping[str, Explainer] = field(default_factory=standard_explainers)
    superpixels: Superpixels = field(default_factory=Slic)
    baseline: Baseline = field(default_factory=BlurBaseline)
    images: Sequence[str] | None = None
    images_per_class: int = 1
    part: str | None = None
    score: ScoreName | Score = "logit"
    seed: int = 0
    batch_size: int | None = None
    classes: ClassChoice = field(default_factory=ClassChoice)
    mask: LimeMask | None = None
    precision: Precision = "exact"
