import math
from dataclasses import replace

import pytest
import torch
from jsonargparse import ArgumentParser
from lime import lime_image
from torch import nn

from cellxai.explain.base import Context, Explainer
from cellxai.explain.baselines import BlurBaseline, SuperpixelMeanBaseline
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.lime.designs import Antithetic, Locality, OrthogonalArray, StratifiedSizes
from cellxai.explain.lime.lime import Lime, top_classes
from cellxai.explain.lime.reference import LimeReference
from cellxai.explain.lime.stopping import Stop
from cellxai.explain.superpixels.base import paint
from cellxai.explain.superpixels.methods import Grid
from cellxai.files.identity import describe_settings

DESIGNS = [Antithetic(), OrthogonalArray(), StratifiedSizes(), Locality()]


@pytest.fixture
def sixteen(images) -> Context:
    """Double precision, 16 superpixels each, a constant fill: where the package is met exactly."""
    labels = Grid(size_px=4).segment(images)
    return Context(labels, torch.full_like(images, 0.5).double(), seed=7, batch_size=32)


def package(net, image, labels, context, feature_selection, n_features, n_samples=200):
    """The package's own answer: coefficients, intercept, R² and local prediction by class."""

    def scores(batch):
        with torch.no_grad():
            return net(torch.from_numpy(batch).movedim(-1, 1).contiguous()).numpy()

    explainer = lime_image.LimeImageExplainer(
        feature_selection=feature_selection, random_state=context.seed
    )
    answers = {}
    for label in labels:  # one at a time: the package keeps R² and prediction of the last only
        explainer.random_state.seed(context.seed)
        explanation = explainer.explain_instance(
            image.movedim(0, -1).numpy(),
            scores,
            labels=(label,),
            top_labels=None,
            hide_color=0.5,
            num_samples=n_samples,
            num_features=n_features,
            segmentation_fn=lambda _: context.superpixels[0].numpy(),
        )
        answers[label] = (
            dict(explanation.local_exp[label]),
            explanation.intercept[label],
            explanation.score,
            explanation.local_pred.item(),
        )
    return answers


@pytest.mark.parametrize(
    ("feature_selection", "n_features"),
    [
        ("auto", 100_000), ("auto", 6), ("auto", 1), ("auto", 9), ("none", 3),
        ("forward_selection", 8), ("highest_weights", 4), ("lasso_path", 5), ("lasso_path", 100),
    ],
)  # fmt: skip
def test_every_number_is_the_packages(net, images, sixteen, feature_selection, n_features):
    net, images = net.double(), images.double()
    lime = Lime(200, n_features, feature_selection=feature_selection)
    classes = torch.tensor([[0, 1, 2]]).expand(3, -1)
    surrogate = lime.explain(net, images, classes, sixteen).surrogate
    for i, image in enumerate(images):
        answers = package(net, image, (0, 1, 2), sixteen, feature_selection, n_features)
        for label, (coefficients, intercept, r2, local_prediction) in answers.items():
            ours = surrogate.coefficients[i, label]
            assert set(ours.nonzero()[:, 0].tolist()) == set(map(int, coefficients))
            expected = torch.zeros(16, dtype=torch.float64)
            for superpixel, coefficient in coefficients.items():
                expected[superpixel] = coefficient
            torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
            assert surrogate.intercept[i, label].item() == pytest.approx(intercept, abs=1e-12)
            assert surrogate.r2[i, label].item() == pytest.approx(r2, abs=1e-12)
            assert surrogate.local_prediction[i, label].item() == pytest.approx(
                local_prediction, abs=1e-12
            )


@pytest.mark.parametrize("fill", ["superpixel means", "blur"])
def test_other_fills_equal_the_package_behind_the_interface(net, images, targets, sixteen, fill):
    net, images = net.double(), images.double()
    made = {"superpixel means": SuperpixelMeanBaseline(), "blur": BlurBaseline(sigma_px=2.0)}[fill]
    context = replace(sixteen, baseline=made.fill(images, sixteen.superpixels))
    ours = Lime(200).attribute(net, images, targets, context)
    reference = LimeReference(200).attribute(net, images, targets, context)
    torch.testing.assert_close(
        ours.superpixel_values, reference.superpixel_values, rtol=0, atol=1e-12
    )
    torch.testing.assert_close(ours.surrogate_r2, reference.surrogate_r2, rtol=0, atol=1e-12)
    assert torch.equal(ours.values[1], paint(ours.superpixel_values[1], context.superpixels[1]))


@pytest.mark.parametrize("design", [None, *DESIGNS], ids=lambda d: type(d).__name__)
def test_a_model_linear_in_superpixels_gives_back_its_contributions(
    design, linear, images, targets, context, contributions
):
    n_samples = 2000  # the ridge of 1 shrinks by its share of the kernel weights
    attribution = Lime(n_samples, design=design).attribute(linear, images, targets, context)
    torch.testing.assert_close(
        attribution.superpixel_values.double(), contributions, rtol=0.05, atol=0.005
    )
    assert (attribution.surrogate_r2 > 0.999).all()
    assert attribution.status == "ok"


@pytest.mark.parametrize("lime", [
    Lime(90), Lime(90, n_features=3), Lime(90, design=OrthogonalArray()),
    Lime(2000, design=OrthogonalArray(), stop=Stop(top_k=2)),
], ids=["plain", "few features", "array", "adaptive"])  # fmt: skip
def test_a_batch_equals_its_images_one_by_one(net, images, targets, lime):
    labels = Grid(size_px=4).segment(images)
    labels[1] = Grid(size_px=8).segment(images)[1]
    context = Context(labels, torch.zeros_like(images), seed=3)
    together = attribute_with_cost(lime, net, images, targets, context)
    forwards = 0
    for i in range(3):
        single = Context(labels[i : i + 1], context.baseline[i : i + 1], seed=3, batch_size=7)
        alone = attribute_with_cost(lime, net, images[i : i + 1], targets[i : i + 1], single)
        torch.testing.assert_close(together.values[i], alone.values[0], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(together.surrogate_r2[i], alone.surrogate_r2[0])
        forwards += alone.cost.forwards
    assert together.cost.forwards == forwards
    assert together.superpixel_values.isnan().sum(1).tolist() == [0, 12, 0]


@pytest.mark.parametrize("names", [[3, 8, 13, 18], [1, 2, 3, 4]])
def test_names_of_labels_do_not_matter(net, images, targets, context, names):
    renamed = Context(torch.tensor(names)[context.superpixels], context.baseline, seed=7)
    got = Lime(60).attribute(net, images, targets, renamed)
    expected = Lime(60).attribute(net, images, targets, context)
    torch.testing.assert_close(got.values, expected.values)
    assert (got.superpixel_values != 0).all()


def test_equal_perturbations_are_evaluated_once(net, images, targets, context):
    # Four superpixels can be shown in 16 ways, however many samples are drawn.
    cost = attribute_with_cost(Lime(1000), net, images, targets, context).cost
    assert (cost.forwards, cost.backwards, cost.batch_size) == (3 * 16, 0, context.batch_size)


def test_a_constant_model_gives_zeros_and_says_so(images, targets, context):
    attribution = Lime(60).attribute(
        lambda x: x.new_full((len(x), 3), 2.5), images, targets, context
    )
    assert torch.equal(attribution.values, torch.zeros(3, 16, 16))
    assert attribution.surrogate_r2.isnan().all()
    assert (attribution.status, attribution.reason) == (
        "degraded", "the score does not change (3 of 3 images)",
    )  # fmt: skip


def test_a_score_that_is_no_number_spoils_its_own_image_alone(net, images, targets, context):
    def broken(batch):
        scores = net(batch)
        return torch.where(batch[:, :1, 0, 0] == images[1, 0, 0, 0], torch.nan, scores)

    attribution = Lime(60).attribute(broken, images, targets, context)
    expected = Lime(60).attribute(net, images, targets, context)
    assert attribution.values[1].isnan().all()
    assert attribution.surrogate_r2.isnan().tolist() == [False, True, False]
    torch.testing.assert_close(attribution.values[::2], expected.values[::2])
    assert attribution.status == "degraded"
    assert attribution.reason == "the score is not a finite number (1 of 3 images)"


def test_nothing_but_nan_is_unsupported(images, targets, context):
    attribution = Lime(60, stop=Stop()).attribute(
        lambda x: x.new_full((len(x), 3), torch.nan), images, targets, context
    )
    assert attribution.status == "unsupported"
    assert attribution.values.isnan().all()


def test_a_baseline_equal_to_the_image_is_a_score_that_does_not_change(
    net, images, targets, context
):
    attribution = Lime(60).attribute(net, images, targets, replace(context, baseline=images))
    assert attribution.status == "degraded"
    assert (attribution.values == 0).all()


def test_sampling_ends_once_the_ranking_is_stable(linear, images, targets, context):
    lime = Lime(5000, design=OrthogonalArray(), stop=Stop(top_k=2, jaccard=0.9))
    attribution = attribute_with_cost(lime, linear, images, targets, context)
    everything = Lime(5000).attribute(linear, images, targets, context)
    assert attribution.cost.forwards < 3 * 40
    assert (attribution.ranking_stability >= 0.9).all()
    assert attribution.status == "ok"
    top = attribution.superpixel_values.abs().topk(2).indices.sort().values
    assert torch.equal(top, everything.superpixel_values.abs().topk(2).indices.sort().values)


def test_mixed_precision_is_used_and_its_drift_told(images, targets, context):
    torch.manual_seed(0)
    net = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(12, 3)).eval()
    context = replace(context, baseline=torch.zeros_like(images))
    mixed = attribute_with_cost(Lime(60, bf16=True), net, images, targets, context)
    exact = attribute_with_cost(Lime(60), net, images, targets, context)
    assert (mixed.status, mixed.cost.dtype) == ("ok", "bfloat16")
    assert mixed.reason.startswith("bfloat16 moves the score by up to ")
    assert not torch.equal(mixed.values, exact.values)
    assert (mixed.values - exact.values).abs().max() < 0.05 * exact.values.abs().max()
    assert mixed.cost.forwards == exact.cost.forwards + 3 * 8


def test_top_classes_are_those_of_highest_score_first():
    assert top_classes(torch.tensor([[1.0, 3.0, 2.0]]), 2).tolist() == [[1, 2]]
    assert top_classes(torch.tensor([[1.0, 3.0]]), 5).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_samples": 1}, "n_samples=1 "),
        ({"n_features": 0}, "n_features=0 "),
        ({"kernel_width": 0.0}, r"kernel_width=0\.0 "),
        ({"kernel_width": math.nan}, "kernel_width=nan "),
    ],
)
def test_settings_without_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Lime(**settings)


def test_a_config_names_the_design_and_the_stop():
    parser = ArgumentParser()
    parser.add_subclass_arguments(Explainer, "explainer")
    settings = {
        "n_samples": 400,
        "design": {"class_path": "cellxai.explain.lime.OrthogonalArray"},
        "stop": {"top_k": 3, "jaccard": 0.8},
    }
    parsed = parser.parse_object(
        {"explainer": {"class_path": "cellxai.explain.lime.Lime", "init_args": settings}}
    )
    lime = parser.instantiate(parsed).explainer
    assert isinstance(lime.design, OrthogonalArray)
    assert lime.stop == Stop(top_k=3, jaccard=0.8)
    assert describe_settings(lime) != describe_settings(Lime(400))
