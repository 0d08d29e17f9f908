"""Everything that makes a run: what ``fit`` takes, as one value, which its config records."""

from dataclasses import dataclass, replace
from pathlib import Path

from cellxai.classifier.backbone import own_image_size
from cellxai.classifier.module import ModelSettings
from cellxai.data.loading.settings import LoadingSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Source
from cellxai.data.splits import SplitSettings
from cellxai.files.config import refuse_null
from cellxai.training.settings import TrainingSettings


@dataclass(frozen=True)
class RunSettings:
    """The arguments of ``cellxai fit``, under the same names: ``config.yaml`` of a run folder.

    Args:
        data: Where the images are.
        run: Folder of the run.
        split: Which images train, validate, test.
        transforms: What happens to an image before the network.
        model: The network.
        training: How it is trained.
        loading: How the images are kept and brought to the network.
        seed: Seed of the weights, the order and the augmentation.

    Raises:
        ValueError: If a group is null, or a seed is not one.
    """

    data: Source
    run: Path
    split: SplitSettings = SplitSettings()
    transforms: Transforms = Transforms()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    loading: LoadingSettings = LoadingSettings()
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_null("", self, "data", "run", "split", "transforms", "model", "training", "loading")
        for name, seed in (("seed", self.seed), ("split.seed", self.split.seed)):
            if not 0 <= seed < 2**32:
                raise ValueError(f"{name}={seed}: expected a whole number from 0, below 2³²")

    def at_own_size(self) -> "RunSettings":
        """These settings, with images of the network's own size where the model asks for it."""
        if not self.model.own_image_size:
            return self
        size = own_image_size(self.model.backbone)
        return replace(self, transforms=replace(self.transforms, image_size=size))
