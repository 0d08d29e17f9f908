"""Leverage SHAP as an explainer: what it costs, when it stops, and against whom it is judged."""

import pytest
import torch
from captum import attr

from cellxai.explain.base import Context
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.seeding import seeded
from cellxai.explain.shapley import ExactShapley, LeverageShap, StopAtError
from cellxai.explain.superpixels.methods import Grid


@pytest.fixture
def sixteen(images) -> Context:
    """A context of 16 superpixels."""
    return Context(Grid(4).segment(images), torch.full_like(images, 0.5), seed=7, batch_size=16)


def test_all_coalitions_give_the_exact_values(net, images, targets, context):
    exact = ExactShapley().attribute(net, images, targets, context)
    ours = LeverageShap(16).attribute(net, images, targets, context)
    torch.testing.assert_close(
        ours.superpixel_values, exact.superpixel_values, rtol=1e-5, atol=1e-6
    )
    assert ours.relative_error.max() < 1e-6


def test_captum_agrees_where_both_have_seen_all_coalitions(net, images, targets, context):
    with seeded(images[0], 0):
        captum = attr.KernelShap(net).attribute(
            images[:1], context.baseline[:1], targets[:1],
            feature_mask=context.superpixels[:1, None], n_samples=1000, perturbations_per_eval=500,
        )  # fmt: skip
    ours = LeverageShap(16).attribute(net, images, targets, context).values[:1]
    torch.testing.assert_close(ours, captum[:, 0], rtol=0.05, atol=0.03 * float(ours.abs().max()))


def test_a_linear_model_gets_its_contributions_back(
    linear, images, targets, context, contributions
):
    attribution = LeverageShap(12).attribute(linear, images, targets, context)
    torch.testing.assert_close(
        attribution.superpixel_values.double(), contributions, rtol=0, atol=1e-6
    )
    assert attribution.standard_errors.max() < 1e-6
    assert attribution.completeness_gap.abs().max() < 1e-6


@pytest.mark.parametrize(("n_samples", "asked"), [(100, 100), (101, 100), (1 << 17, 1 << 4)])
def test_it_costs_what_it_is_allowed_and_no_coalition_twice(
    n_samples, asked, net, images, targets, context, sixteen
):
    where = context if asked == 16 else sixteen
    attribution = attribute_with_cost(LeverageShap(n_samples), net, images, targets, where)
    assert attribution.cost.forwards == 3 * asked


def test_values_sum_to_the_change_and_come_with_standard_errors(net, images, targets, sixteen):
    attribution = LeverageShap(80).attribute(net, images, targets, sixteen)
    with torch.no_grad():
        change = (net(images) - net(sixteen.baseline)).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(attribution.superpixel_values.sum(1), change)
    assert attribution.standard_errors.shape == (3, 16)
    assert (attribution.standard_errors > 0).all()
    assert (attribution.relative_error > 0).all()


def test_sampling_stops_at_the_asked_error_image_by_image(net, images, targets, sixteen):
    loose, tight = (
        attribute_with_cost(
            LeverageShap(4000, stop=StopAtError(error)), net, images, targets, sixteen
        )
        for error in (0.5, 0.002)
    )
    assert loose.cost.forwards < tight.cost.forwards < 3 * 4000
    assert loose.relative_error.max() <= 0.5
    assert tight.relative_error.max() <= 0.002
    assert tight.status == "ok"


def test_an_error_that_is_not_reached_is_degraded_and_says_what_was(net, images, targets, sixteen):
    attribution = LeverageShap(70, stop=StopAtError(1e-9)).attribute(net, images, targets, sixteen)
    assert attribution.status == "degraded"
    assert attribution.reason.startswith("after 70 samples the error is at most")
    assert attribution.reason.endswith("1e-09 was asked for; raise n_samples")


def test_too_few_coalitions_are_degraded(net, images, targets, sixteen):
    attribution = LeverageShap(30).attribute(net, images, targets, sixteen)
    assert (attribution.status, attribution.reason) == (
        "degraded",
        "30 samples for 16 superpixels have no unique answer",
    )
    assert attribution.relative_error.isinf().all()


def test_several_classes_share_their_coalitions(net, images, targets, sixteen):
    classes = torch.tensor([[0, 1, 2]]).expand(3, -1)
    together = LeverageShap(60).explain(net, images, classes, sixteen)
    for column in range(3):
        alone = LeverageShap(60).attribute(net, images, classes[:, column], sixteen)
        torch.testing.assert_close(together.values[:, column].float(), alone.superpixel_values)


def test_images_of_other_numbers_of_superpixels_are_explained_as_if_alone(
    net, images, targets, sixteen
):
    labels = sixteen.superpixels.clone()
    labels[1] //= 2
    mixed = Context(labels, sixteen.baseline, seed=7, batch_size=16)
    together = LeverageShap(60, stop=StopAtError(0.05)).attribute(net, images, targets, mixed)
    assert together.superpixel_values.isfinite().sum(1).tolist() == [16, 8, 16]
    for i in range(3):
        alone = Context(labels[i : i + 1], sixteen.baseline[i : i + 1], seed=7, batch_size=16)
        single = LeverageShap(60, stop=StopAtError(0.05)).attribute(
            net, images[i : i + 1], targets[i : i + 1], alone
        )
        torch.testing.assert_close(together.values[i : i + 1], single.values)
        torch.testing.assert_close(together.relative_error[i : i + 1], single.relative_error)


def test_pairs_of_superpixels_are_answered_and_too_few_coalitions_for_them_said(
    net, images, targets, context, sixteen
):
    every = LeverageShap(16, interactions=True).attribute(net, images, targets, context)
    assert every.status == "ok"
    change = every.superpixel_values.sum(1)
    torch.testing.assert_close(every.superpixel_pairs.triu().sum((1, 2)), change)
    few = LeverageShap(80, interactions=True).attribute(net, images, targets, sixteen)
    assert few.reason == (
        "80 samples for the pairs of 16 superpixels have no unique answer; pass n_samples>=274"
    )
    assert LeverageShap(80).attribute(net, images, targets, sixteen).superpixel_pairs is None


def test_one_score_that_is_no_number_leaves_the_other_images_alone(net, images, targets, sixteen):
    def sometimes_nan(batch):
        scores = net(batch)
        whole = (batch.flatten(1)[:, None] == images[1].flatten()).all(2)
        return torch.where(whole, torch.nan, scores)

    attribution = LeverageShap(60).attribute(sometimes_nan, images, targets, sixteen)
    assert attribution.values.flatten(1).isnan().all(1).tolist() == [False, True, False]
    assert not attribution.values[[0, 2]].isnan().any()


def test_standard_errors_of_superpixels_count_how_their_planes_err_together(
    net, images, targets, context
):
    by_plane = LeverageShap(200, by_plane=True).attribute(net, images, targets, context)
    assert by_plane.standard_errors.shape == by_plane.superpixel_values.shape == (3, 4)
    total = by_plane.superpixel_covariance.sum((1, 2))
    assert total.abs().max() < 1e-6 * by_plane.superpixel_covariance.abs().max() + 1e-12


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LeverageShap(3), "n_samples=3 fits nothing; pass n_samples>=4"),
        (lambda: LeverageShap(interactions=True, by_plane=True), "pairs of superpixels have no"),
        (lambda: StopAtError(0.0), "error=0.0 is never reached; pass error>0"),
        (lambda: StopAtError(0.1, 1.0), "confidence=1.0: expected a number between 0 and 1"),
    ],
    ids=["few", "pairs", "error", "confidence"],
)
def test_settings_that_cannot_work_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
