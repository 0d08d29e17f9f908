"""Guided backpropagation, deconvolution and guided Grad-CAM: gradients with another rule at ReLUs.

Their rules exist for ReLUs alone. At other activations the gradient stays what it is; how much that
leaves of the method is measured and reported. Captum overrides ``nn.ReLU`` layers; here every ReLU
that is called counts, and ReLU6 too.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.backward.gradients import summed_over_channels
from cellxai.explain.backward.rules import Backward, Call, Rule, Rules, own_rule
from cellxai.explain.base import Attribution, Context, Explainer, Model, unsupported_attribution
from cellxai.explain.cost import frozen

RELUS = ("relu", "relu6", "hardtanh")
OTHER_ACTIVATIONS = [
    "silu", "gelu", "sigmoid", "hardsigmoid", "hardswish", "tanh", "elu", "selu", "celu",
    "leaky_relu", "prelu", "mish", "softplus", "softmax", "scaled_dot_product_attention",
]  # fmt: skip


class GuidedBackprop(Explainer):
    """The gradient, of which each ReLU passes on only what is positive (arXiv:1412.6806).

    Signed, summed over the channels. *Degraded* with any activation other than a ReLU.
    """

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        return attribute_with_relu_rule(
            model, images, targets, context.batch_size, keep_positive_of_active
        )


class Deconvolution(Explainer):
    """The gradient, where each ReLU passes on what is positive, active or not (arXiv:1311.2901).

    Signed, summed over the channels. *Degraded* with any activation other than a ReLU.
    """

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        return attribute_with_relu_rule(model, images, targets, context.batch_size, keep_positive)


class GuidedGradCam(Explainer):
    """Guided backpropagation times the positive part of Grad-CAM (arXiv:1610.02391, sect. 3.4).

    The map of the layer is upsampled by repetition. *Degraded* as guided backpropagation is.

    Args:
        layer: See :class:`cellxai.explain.backward.GradCam`.
    """

    def __init__(self, layer: str | None = None) -> None:
        self.layer = layer

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        coarse = GradCam(self.layer).coarse_map(model, images, targets, context.batch_size)
        if isinstance(coarse, str):
            return unsupported_attribution(images, coarse)
        guided = GuidedBackprop().attribute(model, images, targets, context)
        cam = F.interpolate(coarse[:, None].clamp(min=0), images.shape[-2:])[:, 0]
        return Attribution(guided.values * cam, status=guided.status, reason=guided.reason)


def attribute_with_relu_rule(
    model: Model,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    batch_size: int,
    backward: Callable[[Call], Backward],
) -> Attribution:
    """The gradient with another backward pass at ReLUs; *degraded* with any other activation.

    Args:
        model: Images to scores.
        images: The images to explain.
        targets: The class to explain, one per image.
        batch_size: Images per pass at most.
        backward: Makes the backward pass of a ReLU from its call.
    """
    calls: Counter[str] = Counter()
    rules = relu_rules(backward, calls)
    with frozen(model):
        values = gradient_under(rules, model, images, targets, batch_size)
        others = sorted(set(calls) - set(RELUS))
        if not others:
            return Attribution(values)
        usual = gradient_under(Rules({}, otherwise=own_rule), model, images, targets, batch_size)
    share = ((values - usual).norm() / usual.norm().clamp(min=torch.finfo(usual.dtype).tiny)).item()
    n_others, n = sum(calls[name] for name in others), calls.total()
    reason = (
        f"{n_others} of {n} activations are not a ReLU ({', '.join(others)}) and keep their plain "
        f"gradient; the map differs from the gradient's by {share:.0%}"
    )
    return Attribution(values, status="degraded", reason=reason)


def relu_rules(backward: Callable[[Call], Backward], calls: Counter[str]) -> Rules:
    """Rules for ReLUs; calls of activations are counted by name in ``calls``."""

    def relu_rule(call: Call) -> Tensor:
        calls[call.name] += 1
        return call.run_with_backward(backward(call))

    def counting_rule(call: Call) -> Tensor:
        calls[call.name] += 1
        return call.run()

    by_name: dict[str, Rule] = dict.fromkeys(RELUS, relu_rule)
    by_name |= dict.fromkeys(OTHER_ACTIVATIONS, counting_rule)
    return Rules(by_name, otherwise=own_rule)


def keep_positive(call: Call) -> Backward:
    """Passes on the positive part of the gradient, whether the unit is active or not."""
    return lambda gradient, inputs, output: [gradient.clamp(min=0)]


def keep_positive_of_active(call: Call) -> Backward:
    """Passes on the positive part of the gradient where the unit has a slope."""

    def backward(gradient: Tensor, inputs: Sequence[Tensor], output: Tensor) -> list[Tensor]:
        leaf = inputs[0].detach().requires_grad_()
        with torch.enable_grad():
            answer = call.run_on(leaf.clone())
        return [torch.autograd.grad(answer, leaf, gradient.clamp(min=0))[0]]

    return backward


def gradient_under(
    rules: Rules,
    model: Model,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    batch_size: int,
) -> Float[Tensor, "b h w"]:
    """Gradient of the target score under the rules, summed over the channels."""

    def gradient(batch: Float[Tensor, "b c h w"], target: Int[Tensor, " b"]) -> Tensor:
        with torch.enable_grad(), rules:
            scores = model(batch)
        return torch.autograd.grad(scores.gather(1, target[:, None]).sum(), batch)[0]

    return summed_over_channels(gradient, images, targets, batch_size)
