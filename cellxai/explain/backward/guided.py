"""Guided backpropagation, deconvolution and guided Grad-CAM: gradients with another rule at ReLUs.

Their rules exist for ReLUs alone. At other activations the gradient stays what it is; how much that
leaves of the method is measured and reported. Captum overrides ``nn.ReLU`` layers; here every ReLU
that is called counts, as ``clamp(min=0)`` or ``maximum(x, 0)`` too, and ReLU6. What TorchScript and
functions with a gradient of their own hide from the rules is found in torch's graph.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.backward.activations import (
    count_activations,
    is_other_activation,
    is_relu,
    name_of,
)
from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.backward.gradients import maps_by_plane
from cellxai.explain.backward.rules import (
    Backward,
    Call,
    NoRuleError,
    Rule,
    Rules,
    own_rule,
    run_under,
)
from cellxai.explain.base import (
    Attribution,
    Context,
    Explainer,
    Model,
    attribution_of_planes,
    unsupported_attribution,
)
from cellxai.explain.cost import frozen
from cellxai.explain.status import Status, worst_status


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
        coarse = GradCam(self.layer).coarse_maps(model, images, targets, context.batch_size)
        doubt = coarse.doubt
        if doubt and doubt.status == "unsupported":
            return unsupported_attribution(images, doubt.reason)
        guided = GuidedBackprop().attribute(model, images, targets, context)
        cam = coarse.upsample(images, "nearest").clamp(min=0)
        by_plane = None if guided.plane_values is None else guided.plane_values * cam[:, None]
        attribution = replace(guided, values=guided.values * cam, plane_values=by_plane)
        if doubt is None:
            return attribution
        reason = "; ".join(filter(None, [guided.reason, doubt.reason]))
        statuses: list[Status] = [guided.status, doubt.status]
        return replace(attribution, status=worst_status(statuses), reason=reason)


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
    calls = ActivationCalls()
    with frozen(model):
        try:
            rules = Rules({}, otherwise=calls.relu_rule(backward))
            values = gradient_under(rules, model, images, targets, batch_size, calls)
        except NoRuleError as error:
            return unsupported_attribution(images, f"the method has {error}")
        if not calls.others and not calls.hidden:
            return attribution_of_planes(values)
        usual = gradient_under(Rules({}, own_rule), model, images, targets, batch_size)
    own, plain = values.sum(1), usual.sum(1)
    share = ((own - plain).norm() / plain.norm().clamp(min=torch.finfo(plain.dtype).tiny)).item()
    reason = (
        f"{calls.in_words()} and keep their plain gradient; "
        f"the map differs from the gradient's by {share:.0%}"
    )
    return replace(attribution_of_planes(values), status="degraded", reason=reason)


class ActivationCalls:
    """Activations that a model calls, counted by name: ReLUs, others, and hidden from the rules."""

    def __init__(self) -> None:
        self.relus = Counter[str]()
        self.others = Counter[str]()
        self.hidden = Counter[str]()

    def relu_rule(self, backward: Callable[[Call], Backward]) -> Rule:
        """The rule that gives ReLUs another backward pass, and counts."""

        def rule(call: Call) -> Any:
            if not torch.is_grad_enabled():
                return call.run()  # inside a function with a backward pass of its own
            if call.active and is_relu(call):
                self.relus[name_of(call)] += 1
                return call.run_with_backward(backward(call))
            self.others.update([name_of(call)] if call.active and is_other_activation(call) else [])
            return call.run()

        return rule

    def count_hidden(self, nodes: Collection[Any]) -> None:
        """Counts what is in the graph of the scores, and was no call."""
        self.hidden += count_activations(nodes)

    def in_words(self) -> str:
        """How many activations are no ReLU or hidden, and which."""
        n = self.relus.total() + self.others.total() + self.hidden.total()
        faults = {"not a ReLU": self.others, "hidden from the rule": self.hidden}
        return " and ".join(
            f"{calls.total()} of {n} activations are {fault} ({', '.join(sorted(calls))})"
            for fault, calls in faults.items()
            if calls
        )


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
    calls: ActivationCalls | None = None,
) -> Float[Tensor, "b c h w"]:
    """Gradient of the target score under the rules, by plane.

    Args:
        rules: Other backward passes.
        model: Images to scores.
        images: The images to explain.
        targets: The class to explain, one per image.
        batch_size: Images per pass at most.
        calls: Where the rules count; what they cannot see is counted there, too.
    """

    def gradient(batch: Float[Tensor, "b c h w"], target: Int[Tensor, " b"]) -> Tensor:
        scores = run_under(rules, model, batch)
        if calls is not None:
            calls.count_hidden(rules.graph.hidden_nodes(scores))
        with torch.enable_grad():
            of_targets = scores.gather(1, target[:, None]).sum()
        return torch.autograd.grad(of_targets, batch)[0]

    return maps_by_plane(gradient, images, targets, batch_size)
