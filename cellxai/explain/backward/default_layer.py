"""Where Grad-CAM looks unless it is told: the last layer that everything goes through.

The last convolution to run may be a branch: one of many in a dense block, the projection beside a
residual block. Its map leaves out all that the class gets on other ways.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from cellxai.explain.backward.layout import (
    Layout,
    TokenLayout,
    find_layout,
    find_token_layout,
)
from cellxai.explain.score import ModelWrapper

Edge = tuple[Any, int]
"""A tensor in torch's graph: the node that made it, and which of its outputs it is."""


@dataclass(frozen=True)
class LayerRun:
    """One run of a layer.

    Args:
        name: Name of the layer in the model.
        layer: The layer.
        shape: Shape of its output.
        edge: Its output in torch's graph; None where no gradient reaches it.
        layout: Where its output has rows and columns, or patches; None where it has no positions.
    """

    name: str
    layer: nn.Module
    shape: torch.Size
    edge: Edge | None
    layout: Layout | TokenLayout | None

    @property
    def n_positions(self) -> int:
        """Rows × columns of its output; 0 without."""
        return 0 if self.layout is None else self.layout.n_positions(self.shape)

    @property
    def has_positions(self) -> bool:
        """Whether a layer with weights answers at several positions, in a map or in tokens."""
        is_linear = isinstance(self.layer, nn.Linear)
        rows = self.shape[1:-1].numel() if is_linear else self.n_positions
        return isinstance(self.layer, nn.Conv2d | nn.Linear) and rows > 1


@runtime_checkable
class NamesLayers(Protocol):
    """A model that knows which layer decides about an image, as a density of many layers does."""

    def decisive_layers(self, images: Float[Tensor, "b c h w"]) -> Sequence[nn.Module | str]:
        """The layer that decides about each image, or why there is none."""
        ...


def default_layers(model: nn.Module, images: Float[Tensor, "b c h w"]) -> Sequence[nn.Module | str]:
    """For each image the layer that its model names, else :func:`default_layer`."""
    inner = model.model if isinstance(model, ModelWrapper) else model
    for candidate in (model, inner):
        if isinstance(candidate, NamesLayers):
            return candidate.decisive_layers(images)
    return [default_layer(model, images)] * len(images)


def default_layer(model: nn.Module, images: Float[Tensor, "b c h w"]) -> nn.Module | str:
    """The last convolution whose output is larger than 1×1, if all paths to the scores use it.

    Otherwise the last layer of its resolution that they all use; or why there is none. A patch
    embedding does not count: most layers with positions come after it. Of a transformer it is the
    last layer of tokens on all paths whose patches still matter: behind the last attention only the
    class token may.
    """
    runs, scores, leaf, unseen = run_layers(model, images[:1])
    chosen = choose_run(runs, scores, leaf)
    if isinstance(chosen, str):
        return chosen
    n_later = sum(n_before > runs.index(chosen) for n_before in unseen)
    if n_later and not isinstance(chosen.layout, TokenLayout):
        return (
            f"{n_later} convolutions or linear maps after the last layer, '{chosen.name}', are "
            "functions and no layers; name a layer"
        )
    return chosen.layer


def choose_run(runs: Sequence[LayerRun], scores: Tensor, leaf: Tensor) -> LayerRun | str:
    """The run of the default layer, or why there is none."""
    weighted = [run for run in runs if run.has_positions]
    convolutions = [run for run in weighted if isinstance(run.layer, nn.Conv2d)]
    if not convolutions:
        return "no convolution has an output larger than 1×1"
    passages = on_all_paths(scores, leaf)
    shared = [run for run in runs if run.n_positions > 1 and run.edge in passages]
    while shared and not matters(shared[-1], scores):
        shared.pop()
    last = convolutions[-1]
    if not is_early(last, weighted, runs):
        if last in shared or not passages:
            return last
        shared = [run for run in shared if run.n_positions >= last.n_positions]
    chosen = [run for run in shared if not is_early(run, weighted, runs)]
    if chosen:  # of layers that hand on one tensor, the innermost
        return next(run for run in chosen if run.edge == chosen[-1].edge)
    if not is_early(last, weighted, runs):
        return "no late layer is on all paths to the scores; name a layer"
    n_later = len(weighted) - 1 - weighted.index(last)
    return (
        f"the last convolution, '{last.name}', is an embedding: {n_later} of {len(weighted)} "
        "layers with positions come after it, and none of them is on all paths to the scores"
    )


def matters(run: LayerRun, scores: Tensor) -> bool:
    """Whether a score depends on the patches of a layer; on other maps it always does."""
    if run.edge is None or not isinstance(run.layout, TokenLayout):
        return True
    edge = torch.autograd.graph.GradientEdge(*run.edge)
    (gradient,) = torch.autograd.grad(scores.square().sum(), edge, retain_graph=True)
    return bool(run.layout.patches(gradient).any())


def is_early(run: LayerRun, weighted: Sequence[LayerRun], runs: Sequence[LayerRun]) -> bool:
    """Whether more than half of the layers with weights and positions run later."""
    position = runs.index(run)
    n_later = sum(runs.index(other) > position for other in weighted)
    return n_later > len(weighted) / 2


class UnseenMaps(TorchFunctionMode):
    """Sees convolutions and linear maps at several positions that no layer of torch's own makes.

    Attributes:
        n_before: For each of them, how many layers had ended before.
    """

    def __init__(self, runs: Sequence[LayerRun]) -> None:
        super().__init__()
        self.n_before: list[int] = []
        self.inside = 0  # layers with weights that are running
        self._runs = runs

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Called by torch instead of ``func``."""
        answer = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name in ("conv2d", "linear") and not self.inside and answer.grad_fn is not None:
            rows = answer.shape[1:-1] if name == "linear" else answer.shape[2:]
            if rows.numel() > 1 and answer.dim() > 2:
                self.n_before.append(len(self._runs))
        return answer


class Layouts:
    """Finds where the outputs of layers, in the order in which they run, have rows and columns.

    Args:
        leaf: The image that gradients flow to.
    """

    def __init__(self, leaf: Float[Tensor, "1 c h w"]) -> None:
        self._leaf = leaf
        self._grids: set[tuple[int, int]] = set()  # of convolutions
        self._of_tokens: dict[int, TokenLayout | None] = {}

    def find(self, layer: nn.Module, output: Tensor) -> Layout | TokenLayout | None:
        """The layout of an output; that of so many tokens is found where they first occur."""
        if output.dim() != 3:
            layout = find_layout(output, self._leaf)
            if layout is not None and isinstance(layer, nn.Conv2d):
                rows, columns = output.shape[layout.rows :][:2]
                self._grids.add((rows, columns))
            return layout
        n_tokens = output.shape[1]
        if len(output) != len(self._leaf):  # windows are no images
            return None
        if n_tokens not in self._of_tokens:
            found = find_token_layout(output, self._leaf, self._grids)
            self._of_tokens[n_tokens] = found
        return self._of_tokens[n_tokens]


def run_layers(
    model: nn.Module, image: Float[Tensor, "1 c h w"]
) -> tuple[list[LayerRun], Tensor, Tensor, list[int]]:
    """Layers that run once, in the order in which they end; the scores, and the image as a leaf.

    And, of every convolution and linear map that is no layer, how many such layers end before.
    """
    leaf = image.detach().clone().requires_grad_()
    runs: list[LayerRun] = []
    unseen, layouts = UnseenMaps(runs), Layouts(leaf)

    def begin(layer: nn.Module) -> None:
        unseen.inside += isinstance(layer, nn.Conv2d | nn.Linear)

    def remember(name: str, layer: nn.Module, output: object) -> None:
        unseen.inside -= isinstance(layer, nn.Conv2d | nn.Linear)
        if isinstance(output, Tensor):
            edge = (output.grad_fn, output.output_nr) if output.grad_fn is not None else None
            layout = layouts.find(layer, output)
            runs.append(LayerRun(name, layer, output.shape, edge, layout))

    handles: list[RemovableHandle] = []
    for name, layer in model.named_modules():
        if name and not isinstance(layer, torch.jit.ScriptModule):
            handles.append(layer.register_forward_pre_hook(lambda layer, _: begin(layer)))
            handles.append(
                layer.register_forward_hook(
                    lambda layer, _, output, name=name: remember(name, layer, output)
                )
            )
    try:
        with torch.enable_grad(), unseen:
            scores = model(leaf.clone())
    finally:
        for handle in handles:
            handle.remove()
    times = Counter(run.name for run in runs)
    kept = [run for run in runs if times[run.name] == 1]
    return kept, scores, leaf, [sum(run in kept for run in runs[:n]) for n in unseen.n_before]


def on_all_paths(scores: Tensor, leaf: Tensor) -> set[Edge]:
    """Tensors that every path of torch's graph from the scores back to a leaf goes through.

    Those that lie on as many paths as there are; empty without any.
    """
    root: Edge = (scores.grad_fn, scores.output_nr)
    order = _topological_order(scores.grad_fn)
    from_root: Counter[Edge] = Counter({root: 1})
    into: Counter[Any] = Counter({scores.grad_fn: 1})
    for node in order:
        for parent, number in node.next_functions:
            if parent is not None:
                from_root[parent, number] += into[node]
                into[parent] += into[node]
    to_leaf: Counter[Any] = Counter()
    for node in reversed(order):
        ends = getattr(node, "variable", None) is leaf
        later = sum(to_leaf[parent] for parent, _ in node.next_functions if parent is not None)
        to_leaf[node] = 1 if ends else later
    total = to_leaf[scores.grad_fn]
    return {edge for edge, n in from_root.items() if total and n * to_leaf[edge[0]] == total}


def _topological_order(root: Any) -> list[Any]:
    """Nodes of torch's graph, each before those that it was made of."""
    order, seen, waiting = [], set(), [(root, False)]
    while waiting:
        node, is_done = waiting.pop()
        if is_done:
            order.append(node)
        elif node is not None and node not in seen:
            seen.add(node)
            waiting.append((node, True))
            waiting += [(parent, False) for parent, _ in node.next_functions]
    return order[::-1]
