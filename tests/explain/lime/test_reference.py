import pytest
import torch
from lime import lime_image

from cellxai.explain.base import Context
from cellxai.explain.baselines import BlurBaseline, SuperpixelMeanBaseline
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.lime.reference import LimeReference
from cellxai.explain.superpixels.base import paint
from cellxai.explain.superpixels.methods import Grid


def raw_lime(model, image, target, labels, hide_color, n_samples, n_features=100_000):
    """A plain call of the package, as its manual has it."""

    def logits(batch):
        with torch.no_grad():
            return model(torch.from_numpy(batch).movedim(-1, 1).contiguous()).double().numpy()

    explanation = lime_image.LimeImageExplainer(random_state=7).explain_instance(
        image.movedim(0, -1).numpy(),
        logits,
        labels=(target,),
        top_labels=None,
        hide_color=hide_color,
        num_samples=n_samples,
        num_features=n_features,
        segmentation_fn=lambda _: labels.numpy(),
    )
    return dict(explanation.local_exp[target]), explanation.score


def assert_equal_to_the_package(attribution, i, raw):
    coefficients, r2 = raw
    got = attribution.superpixel_values[i]
    expected = torch.tensor([coefficients.get(s, 0.0) for s in range(len(got))])
    torch.testing.assert_close(got, expected.to(got), rtol=1e-5, atol=1e-6)
    assert attribution.surrogate_r2[i].item() == pytest.approx(r2, abs=1e-6)


def test_a_constant_baseline_is_the_packages_hide_color(net, images, targets, context):
    attribution = LimeReference(n_samples=60).attribute(net, images, targets, context)
    for i, target in enumerate(targets.tolist()):
        raw = raw_lime(net, images[i], target, context.superpixels[i], 0.5, 60)
        assert_equal_to_the_package(attribution, i, raw)


def test_superpixel_means_are_the_packages_default_fill(net, images, targets, context):
    means = SuperpixelMeanBaseline().fill(images, context.superpixels)
    context = Context(context.superpixels, means, seed=7)
    attribution = LimeReference(n_samples=60).attribute(net, images, targets, context)
    raw = raw_lime(net, images[0], 0, context.superpixels[0], None, 60)
    assert_equal_to_the_package(attribution, 0, raw)


def test_few_features_are_selected_as_the_package_selects_them(net, images, targets, context):
    attribution = LimeReference(60, n_features=2).attribute(net, images, targets, context)
    raw = raw_lime(net, images[0], 0, context.superpixels[0], 0.5, 60, n_features=2)
    assert_equal_to_the_package(attribution, 0, raw)
    assert (attribution.superpixel_values[0] == 0).sum() == 2


def test_a_model_linear_in_superpixels_gives_back_the_order_of_its_contributions(
    linear, images, targets, context, contributions
):
    attribution = LimeReference(n_samples=400).attribute(linear, images, targets, context)
    coefficients = attribution.superpixel_values
    assert torch.equal(coefficients.argsort(), contributions.argsort())
    # The package's ridge of 1 against a total kernel weight of about 400 × 0.1 shrinks a little.
    torch.testing.assert_close(coefficients.double(), contributions, rtol=0.4, atol=0.01)
    assert (attribution.surrogate_r2 > 0.9).all()


def test_the_map_paints_the_coefficient_on_its_superpixel(net, images, targets, context):
    attribution = LimeReference(n_samples=60).attribute(net, images, targets, context)
    expected = paint(attribution.superpixel_values[1], context.superpixels[1])
    assert torch.equal(attribution.values[1], expected)


@pytest.mark.parametrize("names", [[3, 8, 13, 18], [1, 2, 3, 4]])
def test_names_of_labels_do_not_matter_and_none_is_dead(net, images, targets, context, names):
    renamed = Context(torch.tensor(names)[context.superpixels], context.baseline, seed=7)
    lime = LimeReference(n_samples=60)
    got = lime.attribute(net, images, targets, renamed)
    expected = lime.attribute(net, images, targets, context)
    torch.testing.assert_close(got.superpixel_values, expected.superpixel_values)
    assert (got.superpixel_values != 0).all()


def test_the_same_seed_repeats_the_map_and_another_does_not(net, images, targets, context):
    lime = LimeReference(n_samples=60)
    first, again = (lime.attribute(net, images, targets, context).values for _ in range(2))
    other_seed = Context(context.superpixels, context.baseline, seed=8, batch_size=4)
    other = lime.attribute(net, images, targets, other_seed).values
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_it_costs_its_samples_and_nothing_more(net, images, targets, context):
    cost = attribute_with_cost(LimeReference(n_samples=50), net, images, targets, context).cost
    assert (cost.forwards, cost.backwards) == (3 * 50, 0)


def test_images_with_fewer_superpixels_are_padded_with_nan(net, images, targets):
    labels = Grid(size_px=4).segment(images)
    labels[1] = Grid(size_px=8).segment(images)[1]
    context = Context(labels, BlurBaseline().fill(images, labels))
    coefficients = LimeReference(200).attribute(net, images, targets, context).superpixel_values
    assert coefficients.isnan().sum(1).tolist() == [0, 12, 0]


def test_grey_images_are_explained(images, quarters):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 2)).eval()
    context = Context(quarters[None], torch.zeros(1, 1, 16, 16))
    target = torch.tensor([1])
    values = LimeReference(60).attribute(net, images[:1, :1], target, context).values
    assert values.shape == (1, 16, 16)
    assert values.std() > 0


def test_one_superpixel_and_a_constant_model_are_no_crash(images, targets):
    context = Context(torch.zeros(3, 16, 16, dtype=torch.long), torch.zeros_like(images))
    attribution = LimeReference(20).attribute(
        lambda x: x.new_ones(len(x), 3), images, targets, context
    )
    assert torch.equal(attribution.values, torch.zeros(3, 16, 16))
    assert attribution.status == "degraded"
    assert attribution.reason == (
        "the score does not change (3 of 3 images); one superpixel cannot be ranked (3 of 3 images)"
    )


def test_a_score_that_is_no_number_spoils_its_own_image_alone(net, images, targets, context):
    def broken(batch):
        ours = (batch == images[1]).flatten(1).any(1)  # its perturbations keep some of its pixels
        return torch.where(ours[:, None], torch.nan, net(batch))

    attribution = LimeReference(60).attribute(broken, images, targets, context)
    assert attribution.values[1].isnan().all()
    assert attribution.values[0].isfinite().all()
    assert attribution.status == "degraded"
    assert attribution.reason == "the score is not a finite number (1 of 3 images)"


def test_too_few_samples_are_called_degraded(net, images, targets, context):
    few = LimeReference(n_samples=39).attribute(net, images, targets, context)
    enough = LimeReference(n_samples=40).attribute(net, images, targets, context)
    assert few.status == "degraded"
    assert few.reason == "39 samples for 4 superpixels, LIME needs about 10 each"
    assert (enough.status, enough.reason) == ("ok", "")


def test_no_progress_bar_is_drawn_and_the_package_keeps_its_own(
    net, images, targets, context, capfd
):
    bar = lime_image.tqdm
    LimeReference(n_samples=40).attribute(net, images, targets, context)
    assert capfd.readouterr() == ("", "")
    assert lime_image.tqdm is bar


def test_a_single_sample_is_refused():
    with pytest.raises(ValueError, match="n_samples=1 "):
        LimeReference(n_samples=1)
