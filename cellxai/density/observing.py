"""Sources of images for a density: what its views see is computed with features and logits."""

from collections.abc import Mapping

from torch import Tensor

from cellxai.data.loading.datamodule import CellImages
from cellxai.density.views import View
from cellxai.density.views.base import Seen
from cellxai.density.views.defaults import default_views, pixel_views
from cellxai.density.views.looking import layers_of, look, rows_of
from cellxai.files.folder import RunFolder
from cellxai.trained.image_sets import (
    NetworkFeatures,
    Outputs,
    PixelFeatures,
    has_untrained_features,
)
from cellxai.trained.rows import HeldRows
from cellxai.trained.run import TrainedRun

Views = Mapping[str, View]


def network_views(trained: TrainedRun, views: Views | None) -> Views:
    """The views of a run's network: those given, or the usual ones.

    Where the last layer alone was trained, what it gives is not among the usual ones: it knows the
    images of the training and every class, whereas nothing else does.
    """
    if views is not None:
        return views
    planes, height, width = trained.transforms.shape
    usual = default_views(trained.classifier, (height, width), planes, trained.transforms.n_inputs)
    untrained = has_untrained_features(trained)
    return {name: view for name, view in usual.items() if not (untrained and view.of_head)}


def observe_run(trained: TrainedRun, views: Views) -> NetworkFeatures:
    """The images of a run as views see them, in one forward pass each."""
    layers = layers_of(views.values())

    def observe(images: Tensor) -> Outputs:
        seen = look(trained.classifier, layers, images)
        assert seen.features is not None
        return Outputs(seen.logits, seen.features, HeldRows(rows_of(views, seen)))

    return NetworkFeatures(trained, observe)


def pixel_views_of(images: CellImages, views: Views | None) -> Views:
    """The views of raw pixels: those given, or the usual ones.

    Raises:
        ValueError: If a view looks at a network.
    """
    if views is None:
        return pixel_views(images.transforms.shape[0])
    for name, view in views.items():
        if view.needs_network:
            raise ValueError(
                f"views={name!r}: {type(view).__name__} looks at a network, and raw pixels have "
                "none; leave it out, or leave out data"
            )
    return views


def observe_pixels(folder: RunFolder, images: CellImages, views: Views) -> PixelFeatures:
    """Prepared images as views of raw pixels see them."""

    def observe(batch: Tensor) -> Outputs:
        return Outputs(None, batch.flatten(1), HeldRows(rows_of(views, Seen(batch, {}))))

    return PixelFeatures(folder, images, observe)
