"""What is refused at the edge, in one line, and what is explained all the same."""

import pytest
import torch
from attention_only import explainers_of_any_network
from torch import nn

from cellxai.explain.answers import ScoreWatch
from cellxai.explain.base import Attribution, Explainer
from cellxai.explain.controls import RandomAttribution
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.verdict import with_verdict

EXPLAINERS = explainers_of_any_network(n_samples=60)
ASKING = [name for name, explainer in EXPLAINERS.items() if not explainer.is_control]


class Own(Explainer):
    """Answers with whatever it is given."""

    def __init__(self, answer) -> None:
        self.answer = answer

    def attribute(self, model, images, targets, context):
        return self.answer(images)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "shape", [(16, 16), (3, 3, 16, 16), (3, 2, 2), (1, 16, 16), (3, 16, 15)], ids=str
)
def test_a_map_of_another_shape_is_refused_by_name(shape, net, images, targets, context):
    own = Own(lambda images: unchecked(values=torch.rand(shape)))
    with pytest.raises(
        ValueError, match=r"Own returned values of shape .*\[b h w\] = \[3, 16, 16\]"
    ):
        attribute_with_cost(own, net, images, targets, context)


def unchecked(**parts) -> Attribution:
    """An attribution of any parts: in the tests shapes are checked when it is made."""
    attribution = object.__new__(Attribution)
    whole = vars(Attribution(torch.zeros(1, 1, 1))) | parts
    for name, value in whole.items():
        object.__setattr__(attribution, name, value)
    return attribution


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda images: images[:, 0], "Own returned Tensor, expected an Attribution"),
        (lambda images: unchecked(values=images.numpy()), "Own returned ndarray"),
        (lambda images: unchecked(values=images[:, 0].int()), "expected floating point"),
    ],
)
def test_an_answer_of_another_kind_is_refused_by_name(
    answer, message, net, images, targets, context
):
    with pytest.raises(TypeError, match=message):
        attribute_with_cost(Own(answer), net, images, targets, context)


def test_numbers_that_are_not_one_per_image_are_refused(net, images, targets, context):
    own = Own(lambda x: unchecked(values=x[:, 0].clone(), surrogate_r2=torch.zeros(2)))
    with pytest.raises(ValueError, match=r"surrogate_r2 of shape \[2\], expected \[3\]"):
        attribute_with_cost(own, net, images, targets, context)


@pytest.mark.parametrize("name", ASKING)
@pytest.mark.parametrize("target", [-1, 3])
def test_a_target_that_is_no_column_is_refused(name, target, net, images, context):
    with pytest.raises(ValueError, match="target"):
        attribute_with_cost(EXPLAINERS[name], net, images, torch.full((3,), target), context)


@pytest.mark.parametrize("name", ASKING)
def test_a_model_of_several_answers_is_refused(name, net, images, targets, context):
    class Pair(nn.Module):
        def forward(self, x):
            return net(x), x

    with pytest.raises(TypeError, match="answers with a tuple, and explainers need one tensor"):
        attribute_with_cost(EXPLAINERS[name], Pair(), images, targets, context)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", ASKING)
def test_gradients_that_the_caller_switched_off_change_nothing(
    name, mode, net, images, targets, context
):
    expected = attribute_with_cost(EXPLAINERS[name], net, images, targets, context)
    with mode():
        actual = attribute_with_cost(EXPLAINERS[name], net, images * 1.0, targets, context)
    assert actual.status == expected.status
    torch.testing.assert_close(actual.values, expected.values, equal_nan=True)


@pytest.mark.parametrize("name", sorted(EXPLAINERS))
def test_a_pixel_that_is_no_number_leaves_no_map(name, net, images, targets, context):
    images[1, 0, 3, 3] = torch.nan
    some = attribute_with_cost(EXPLAINERS[name], net, images, targets, context)
    assert some.values[1].isnan().all()
    assert some.values[0].isfinite().all()
    assert (some.status, "not finite numbers" in some.reason) == ("degraded", True)
    images[:] = torch.inf
    whole = attribute_with_cost(EXPLAINERS[name], net, images, targets, context)
    assert (whole.status, whole.values.isnan().all()) == ("unsupported", True)


@pytest.mark.parametrize("name", ASKING)
def test_a_score_that_is_no_number_leaves_no_map(name, net, images, targets, context):
    class Fading(nn.Module):
        """NaN for the target, with a gradient that is finite."""

        def forward(self, x):
            return net(x) + torch.full((), torch.nan)

    attribution = attribute_with_cost(EXPLAINERS[name], Fading(), images, targets, context)
    assert attribution.values.isnan().all()
    assert attribution.status == "unsupported"


@pytest.mark.parametrize("name", ["deeplift", "integrated-gradients", "occlusion", "ablation"])
def test_an_image_that_is_its_baseline_has_no_evidence(name, net, images, targets, context):
    attribution = attribute_with_cost(
        EXPLAINERS[name], net, context.baseline.clone(), targets, context
    )
    assert attribution.status == "degraded"


def test_evidence_below_rounding_is_none():
    values = torch.eye(2)[None] * 1e-8
    assert with_verdict(Attribution(values), rounding=1e-6).status == "degraded"
    assert with_verdict(Attribution(values), rounding=1e-9).status == "ok"


def test_a_control_has_no_score_to_be_rounded(net, images, targets, context):
    assert attribute_with_cost(RandomAttribution(), net, images, targets, context).status == "ok"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", sorted(EXPLAINERS))
def test_half_precision_is_a_map_like_that_of_full_precision(
    name, dtype, relu_net, images, targets, context
):
    full = attribute_with_cost(EXPLAINERS[name], relu_net, images, targets, context)
    half_context = type(context)(context.superpixels, context.baseline.to(dtype), 7, 4)
    half = attribute_with_cost(
        EXPLAINERS[name], relu_net.to(dtype), images.to(dtype), targets, half_context
    )
    assert half.values.isfinite().all()
    if name in ("saliency", "input-x-gradient", "guided-backprop", "gradcam", "edges", "occlusion"):
        pair = torch.stack([half.values.float().flatten(), full.values.flatten()])
        assert torch.corrcoef(pair)[0, 1] > 0.9


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_network_in_torchscript_is_explained_from_outside(net, images, targets, context):
    scripted = torch.jit.script(net)
    for name in ("occlusion", "lime", "saliency"):
        actual = attribute_with_cost(EXPLAINERS[name], scripted, images, targets, context)
        expected = attribute_with_cost(EXPLAINERS[name], net, images, targets, context)
        assert actual.cost.forwards == expected.cost.forwards
        torch.testing.assert_close(actual.values, expected.values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_differences_of_scores_are_known_no_better_than_the_scores(dtype):
    targets, scores = torch.tensor([0]), torch.tensor([[8.0, 100.0]])
    watch = ScoreWatch(targets)
    watch.note(scores.to(dtype))
    steps = 4 if dtype == torch.float32 else 16
    assert watch.rounding == pytest.approx(8 * steps * torch.finfo(dtype).eps)
    of_gradient = ScoreWatch(targets)
    noted = scores.to(dtype).requires_grad_()
    of_gradient.note(noted)
    noted.sum().backward()
    assert of_gradient.rounding == pytest.approx(8 * 4 * torch.finfo(torch.float32).eps)
