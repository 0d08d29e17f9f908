"""Train a classifier and judge it, in Python: copy this file and edit it.

python scripts/train.py [--data FOLDER] [--run RUN]
cost: 2 min on 2 CPU cores on the 600 cells of the quickstart; expect: validation accuracy 0.95
"""

import argparse
from pathlib import Path

from cellxai.api import evaluate, fit
from cellxai.classifier.backbone import TimmBackbone
from cellxai.classifier.module import HeadSettings, ModelSettings
from cellxai.classifier.optimiser import OptimiserSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.splits import SplitSettings
from cellxai.training.settings import TrainingSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("runs/quickstart/data/cells"))
    parser.add_argument("--run", type=Path, default=Path("runs/train"))
    parser.add_argument("--backbone", default="tf_efficientnetv2_b0", help="any model of timm")
    parser.add_argument("--epochs", type=int, default=7)
    options = parser.parse_args()
    fitted = fit(
        Sartorius(options.data),  # or ImageFolder, Manifest, a Source of your own
        options.run,
        SplitSettings(validation_share=0.12, test_share=0.12),
        Transforms(image_size=(128, 128), brightness=0.05),
        ModelSettings(TimmBackbone(options.backbone), HeadSettings(hidden=256, dropout=0.3)),
        TrainingSettings(options.epochs, optimiser=OptimiserSettings(plateau_patience=0)),
    )
    print(fitted)
    print(evaluate(options.run))


if __name__ == "__main__":
    main()
