"""A last batch of one image, of which BatchNorm cannot take a variance."""

import copy

import torch

from cellxai.classifier.module import CellClassifier
from cellxai.data.loading.datamodule import CellImages
from cellxai.training.settings import TrainingSettings


def check_last_batch(
    classifier: CellClassifier, images: CellImages, training: TrainingSettings
) -> None:
    """Refuses, before the work, a batch of one image that this network cannot be trained on.

    Most can; it depends on whether a layer with BatchNorm is left with a single place.

    Raises:
        ValueError: Naming what to pass instead.
    """
    n_images = -(-len(images.records("train")) // training.devices)  # that a process takes
    size = training.batch_size // training.devices
    if classifier.trainable == "head" or not n_images or n_images % size != 1 % size:
        return
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            network = copy.deepcopy(classifier.backbone)  # its running statistics would move
            network(torch.zeros(1, images.transforms.n_inputs, *seen_size(images)))
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ValueError(
            f"{n_images} training images in batches of {size} leave one of a single image, and "
            "BatchNorm has a single value per channel there; pass another training.batch_size, or "
            "model.frozen_statistics=true"
        ) from error


def seen_size(images: CellImages) -> tuple[int, int]:
    """Height and width of the images that training sees."""
    crop = images.transforms.crop
    return images.transforms.image_size if crop is None else (crop, crop)
