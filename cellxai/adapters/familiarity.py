"""How familiar a run finds images, read back: what is explained, benchmarked and scored by it."""

from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from cellxai.classifier.module import CellClassifier
from cellxai.density.pipeline import PIPELINE_FILE, DensityPipeline
from cellxai.density.verdicts import Verdicts
from cellxai.density.views import Places
from cellxai.density.views.looking import layers_of, look, rows_of
from cellxai.explain.backward.default_layer import default_layer
from cellxai.explain.base import Attribution, Context, Explainer, Model, unsupported_attribution
from cellxai.explain.score import ModelWrapper, Score, Scored
from cellxai.files.folder import RunFolder
from cellxai.files.identity import hash_file, hash_tensors
from cellxai.trained.run import TrainedRun

ImageDensity = Callable[[Float[Tensor, "b c h w"]], Float[Tensor, " b"]]


def density_file(run: Path) -> Path:
    """Where the density of a run lies, if there is one."""
    return RunFolder(run).density / PIPELINE_FILE


def read_density(run: Path, classifier: CellClassifier) -> DensityPipeline:
    """The pipeline that `cellxai density` fitted to a run.

    Raises:
        FileNotFoundError: If the run has no density yet.
        ValueError: If it is damaged, of an earlier version, or of another network.
    """
    path = density_file(run)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.parent} holds no density of this run; run `cellxai density --run {run}`"
        )
    return DensityPipeline.load(path, hash_tensors(classifier.state_dict()))


class Familiarity(ModelWrapper):
    """Images to the log p-value of the views that decide whether they are known; one score.

    Differentiable, see :meth:`DensityPipeline.log_familiarity`. A pixel with a negative attribution
    makes the image unusual.

    Args:
        model: The classifier, in evaluation mode.
        pipeline: The density of its views.
    """

    model: CellClassifier

    def __init__(self, model: CellClassifier, pipeline: DensityPipeline) -> None:
        super().__init__(model)
        self.pipeline = pipeline
        self._layers = layers_of(pipeline.views.values())

    def forward(self, images: Float[Tensor, "b p h w"]) -> Float[Tensor, "b 1"]:
        """Log p-values, in nats."""
        rows = rows_of(self.pipeline.views, look(self.model, self._layers, images))
        return self.pipeline.log_familiarity(rows)[:, None].to(images)

    @torch.no_grad()
    def judge(self, images: Float[Tensor, "b p h w"]) -> Verdicts:
        """The verdicts on images that nothing was fitted to."""
        return self.pipeline.judge(
            rows_of(self.pipeline.views, look(self.model, self._layers, images))
        )

    @torch.no_grad()
    def most_surprised(self, images: Float[Tensor, "b p h w"]) -> list[str]:
        """Name of the view that each image surprises most; it decides most of :meth:`forward`."""
        tails = self.pipeline.log_tails(
            rows_of(self.pipeline.views, look(self.model, self._layers, images))
        )
        names = list(tails)
        return [names[int(place)] for place in torch.stack(list(tails.values())).argmin(0)]

    def decisive_layers(self, images: Float[Tensor, "b p h w"]) -> list[nn.Module | str]:
        """The layer of the view that each image surprises most, or why there is none.

        Of a view of the last features it is where the classifier's own Grad-CAM looks.
        """
        return [self._layer_of(name, images) for name in self.most_surprised(images)]

    def _layer_of(self, name: str, images: Float[Tensor, "b p h w"]) -> nn.Module | str:
        view = self.pipeline.views[name]
        if view.layers:
            return self.model.get_submodule(view.layers[0])
        if view.needs_network:
            return default_layer(self.model, images)
        return (
            f"the view that the image surprises most, {name}, looks at pixels and through no layer"
        )

    @property
    def views_of_places(self) -> list[str]:
        """Names of the views of single places."""
        return [name for name, view in self.pipeline.views.items() if isinstance(view, Places)]

    def surprise_map(self, images: Float[Tensor, "b p h w"]) -> Float[Tensor, "b rows columns"]:
        """Surprise of every place, smoothed, of that view of places which an image surprises most.

        The maps of all views are as large as that of the first.
        """
        rows = rows_of(self.pipeline.views, look(self.model, self._layers, images))
        names, every = self.views_of_places, list(self.pipeline.views)
        log_p = self.pipeline.judge(rows).log_p[:, [every.index(name) for name in names]]
        maps = [self.pipeline.fitted_[name].surprise_map(rows[name]) for name in names]
        same = [F.interpolate(nats[:, None], maps[0].shape[1:], mode="bilinear") for nats in maps]
        return torch.cat(same, 1)[torch.arange(len(images)), log_p.argmin(1)]


class LogFamiliarity(Score):
    """The output of :class:`Familiarity` unchanged, in nats; the only target is 0.

    Args:
        content: What distinguishes the density from others, such as a hash of its file; results
            are stored with it.
    """

    name = "log p-value"
    units = "nats"
    of_one_model = True

    def __init__(self, content: str) -> None:
        self.content = content

    def scores(self, outputs: Float[Tensor, "b 1"]) -> Float[Tensor, "b 1"]:
        """See :meth:`Score.scores`."""
        return outputs


def familiarity_of(trained: TrainedRun) -> tuple[Familiarity, LogFamiliarity]:
    """The model and the score of a run's density.

    Raises:
        FileNotFoundError: If the run has no density yet.
        ValueError: As :func:`read_density`.
    """
    run = trained.folder.root
    pipeline = read_density(run, trained.classifier)
    return Familiarity(trained.classifier, pipeline), LogFamiliarity(hash_file(density_file(run)))


def image_density(run: Path, classifier: CellClassifier) -> ImageDensity:
    """A function of images to log p-values in nats, on the device of the images.

    Raises:
        FileNotFoundError: If the run has no density yet.
        ValueError: As :func:`read_density`.
    """
    familiarity = Familiarity(classifier, read_density(run, classifier))
    return lambda images: familiarity.to(images.device)(images)[:, 0]


class SurpriseMap(Explainer):
    """How surprising each place is to the view of places that the image surprises most.

    Upsampled bilinearly, in nats below the mean of the image: negative at less familiar places.
    """

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        familiarity = model.model if isinstance(model, Scored) else model
        if not isinstance(familiarity, Familiarity) or not familiarity.views_of_places:
            return unsupported_attribution(images, "only a density with views of places has a map")
        with torch.no_grad():
            nats = familiarity.surprise_map(images)
        wide = F.interpolate(nats[:, None].to(images), images.shape[-2:], mode="bilinear")[:, 0]
        views = familiarity.most_surprised(images)
        elsewhere = [name for name in views if name not in familiarity.views_of_places]
        reason = f"surprised most: {', '.join(dict.fromkeys(elsewhere))}, which have no places; "
        reason += "the map is that of the most surprised view with places"
        values = wide.mean((1, 2), keepdim=True) - wide
        return Attribution(values, reason=reason if elsewhere else "")
