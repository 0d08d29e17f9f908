"""Runs a model with other rules for its backward pass; the model itself is not touched.

Rules are attached to the functions of torch that a model calls, not to its layers. A gate
``x * sigmoid(g)``, a residual ``x + shortcut`` or an activation inside a normalisation layer is not
a layer of its own, but it is a call.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cellxai.explain.backward.in_place import (
    MOVING_IN_PLACE,
    copy_before_writing,
    copying_function,
    saving_for_backward,
    written_tensor,
)
from cellxai.explain.backward.opened import opened
from cellxai.explain.backward.seen_graph import SeenGraph, nodes_of

Backward = Callable[[Tensor, Sequence[Tensor], Tensor], Sequence[Tensor | None]]
"""Gradient of the output, inputs, output → what goes back to each input."""


class NoRuleError(Exception):
    """A model calls a function that the method has no rule for; its text says which."""


@dataclass(frozen=True)
class Call:
    """A call of a torch function in which gradients may flow.

    Args:
        name: Such as ``conv2d`` or ``mul``; in-place calls come as the function that copies.
        function: What is called.
        args: Its positional arguments.
        kwargs: Its named arguments.
        target: What the model sees instead of a new tensor: where it asked to work in place, the
            answer is written into this one.
    """

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    target: Tensor | None = None

    @property
    def active(self) -> dict[int | str, Tensor]:
        """Arguments that gradients flow through, by position or name."""
        everything = {**dict(enumerate(self.args)), **self.kwargs}
        return {key: value for key, value in everything.items() if is_active(value)}

    def run(self) -> Any:
        """What torch itself answers, with its own gradient."""
        return self.function(*self.args, **self.kwargs)

    def run_on(self, *tensors: Tensor) -> Tensor:
        """The same call on other tensors instead of the active ones."""
        replaced = dict(zip(self.active, tensors, strict=True))
        args = [replaced.get(i, value) for i, value in enumerate(self.args)]
        return self.function(*args, **{k: replaced.get(k, v) for k, v in self.kwargs.items()})

    def run_with_backward(self, backward: Backward) -> Tensor:
        """The answer of the call, whose gradient is made by ``backward``."""
        answer = _OwnBackward.apply(self.run_on, backward, *self.active.values())
        assert isinstance(answer, Tensor)
        return answer


Rule = Callable[[Call], Any]
"""Answers a call, usually by :meth:`Call.run_with_backward`."""


class Rules(TorchFunctionMode):
    """While it is entered, calls on active tensors are answered by the rule of their name.

    Args:
        by_name: Rule of each function.
        otherwise: Rule of all others, also of those that answer with a shape or a size.

    Attributes:
        ended: Whether calls are left alone from now on, as those of a score above the network.
        graph: What the calls that were answered have added to torch's graph.
    """

    def __init__(self, by_name: Mapping[str, Rule], otherwise: Rule) -> None:
        super().__init__()
        self.by_name = by_name
        self.otherwise = otherwise
        self.ended = False
        self.graph = SeenGraph()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Called by torch instead of ``func``."""
        kwargs = kwargs or {}
        if self.ended:
            return func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        call = Call(name, func, args, kwargs, written_tensor(name, args, kwargs))
        if call.target is not None:
            copy_before_writing(call.target)
        if not has_active([*args, *kwargs.values()]):
            answer = call.run()
            # What is made of weights alone must not look active; no_grad leaves views of them so.
            return answer.detach() if is_active(answer) else answer
        if in_steps := opened(name, args, kwargs):
            with self:
                return in_steps()
        border = nodes_of([*args, *kwargs.values()])
        self.graph.note_views([*args, *kwargs.values()])
        with saving_for_backward():
            answer = self._answer(call) if call.target is None else self._write(call)
        # What is written into a view is a new node of the tensor that it is a view of.
        written = [] if call.target is None else [call.target, call.target._base]
        self.graph.note(border, [answer, *written])
        return answer

    def _answer(self, call: Call) -> Any:
        versions = [tensor._version for tensor in call.active.values()]
        answer = self.by_name.get(call.name, self.otherwise)(call)
        if versions != [tensor._version for tensor in call.active.values()]:
            raise NoRuleError(f"no rule for torch's {call.name}, which changes its arguments")
        return answer

    def _write(self, call: Call) -> Any:
        """The answer of the copying function, written where the model expects it."""
        if mask_and_number := _masked_assignment(call):
            args = (call.target, *mask_and_number)
            call = replace(call, name="masked_fill_", function=Tensor.masked_fill_, args=args)
        if call.name in MOVING_IN_PLACE:
            return call.run()
        copying = copying_function(call.name, call.function)
        assert call.target is not None
        if copying is None:
            raise NoRuleError(f"no rule for torch's {call.name}, which works in place")
        kwargs = {key: value for key, value in call.kwargs.items() if key != "out"}
        kwargs |= {"inplace": False} if "inplace" in kwargs else {}
        name = call.name if copying is call.function else call.name.removesuffix("_")
        answer = self._answer(Call(name, copying, call.args, kwargs, call.target))
        if not isinstance(answer, Tensor) or answer.shape != call.target.shape:
            raise NoRuleError(f"no rule for torch's {call.name} where it changes a shape in place")
        copy_before_writing(call.target)  # the rule has saved it just now
        return call.target.copy_(answer)


def _masked_assignment(call: Call) -> tuple[Tensor, int | float] | None:
    """Mask and number of ``x[mask] = number``, which is a function like any other."""
    if call.name != "__setitem__" or call.target is None:
        return None
    _, mask, number = call.args
    masks_all = isinstance(mask, Tensor) and mask.dtype == torch.bool
    if masks_all and mask.shape == call.target.shape and isinstance(number, int | float):
        return mask, number
    return None


def own_rule(call: Call) -> Any:
    """Torch's own answer and gradient."""
    return call.run()


def own_gradient(
    call: Call, relevance: Tensor, inputs: Sequence[Tensor], output: Tensor
) -> Sequence[Tensor]:
    """Torch's own, which moves relevance where it came from."""
    leaf = inputs[0].detach().requires_grad_()
    with torch.enable_grad():
        answer = call.run_on(leaf)
    return torch.autograd.grad(answer, leaf, relevance)


def refusing_rule(call: Call) -> Any:
    """The rule of functions that a method knows nothing of.

    Raises:
        NoRuleError: If a gradient could flow through the answer.
    """
    answer = call.run()
    if has_active([answer]):
        raise NoRuleError(f"no rule for torch's {call.name}")
    return answer


def run_under(rules: Rules, model: Callable[[Tensor], Tensor], leaf: Tensor) -> Tensor:
    """What the model answers under the rules; it may write into the copy that it is given."""
    with torch.enable_grad():
        images = leaf.clone()
        rules.graph.note((), images)
        with rules:
            return model(images)


def is_active(value: object) -> bool:
    """Whether it comes from the images and gradients flow through it; weights do not count."""
    is_weight = isinstance(value, nn.Parameter)
    return isinstance(value, Tensor) and value.requires_grad and not is_weight


def has_active(values: Sequence[object]) -> bool:
    """Whether gradients flow through one of the values, or of the tensors in a list of them."""
    return any(
        any(map(is_active, value)) if isinstance(value, list | tuple) else is_active(value)
        for value in values
    )


def is_of_a_rule(node: object) -> bool:
    """Whether a node of torch's graph is the backward pass of a rule."""
    return type(node).__name__ == f"{_OwnBackward.__name__}Backward"


class _OwnBackward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, function: Callable[..., Tensor], backward: Backward, *inputs: Tensor
    ) -> Tensor:
        # Copies: activations may work in place, and the inputs are needed to go back.
        output = function(*(x.clone() for x in inputs))
        ctx.own_backward = backward
        ctx.save_for_backward(*inputs, output)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        *inputs, output = ctx.saved_tensors
        return None, None, *ctx.own_backward(gradients[0], inputs, output)
