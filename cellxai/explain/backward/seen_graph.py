"""The part of torch's graph that comes from calls that were seen, and the part that is hidden."""

from collections.abc import Collection, Sequence
from typing import Any

from torch import Tensor


class SeenGraph:
    """Remembers what each call has added to the graph.

    Functions in TorchScript and with a backward pass of their own are not called by torch's names:
    they are in the graph of the scores, and in no call.
    """

    def __init__(self) -> None:
        self._nodes: set[Any] = set()

    def note(self, border: Collection[Any], answer: object) -> None:
        """Remembers the nodes from an answer back to a border.

        Args:
            border: :func:`nodes_of` the arguments, before the call wrote into one of them.
            answer: What the call has answered.
        """
        self._nodes |= graph_of([x.grad_fn for x in tensors_in(answer)], border)

    def note_views(self, values: Sequence[object]) -> None:
        """Remembers views among the arguments of a call.

        Torch makes a new node for a view whenever what it is a view of was written into.
        """
        self._nodes |= {x.grad_fn for value in values for x in tensors_in(value) if x._is_view()}

    def hidden_nodes(self, scores: Tensor) -> set[Any]:
        """Nodes in the graph of the scores that no call has added; then forgets."""
        unseen = graph_of([scores.grad_fn], ()) - self._nodes
        self._nodes.clear()
        return {node for node in unseen if not hasattr(node, "variable")}  # leaves are no functions


def nodes_of(values: Sequence[object]) -> set[Any]:
    """Where the tensors among the values stand in the graph."""
    return {x.grad_fn for value in values for x in tensors_in(value)}


def tensors_in(value: object) -> list[Tensor]:
    """The tensors of a value that may be a list of them, however deep."""
    if isinstance(value, list | tuple):
        return [tensor for part in value for tensor in tensors_in(part)]
    return [value] if isinstance(value, Tensor) else []


def graph_of(starts: Sequence[Any], border: Collection[Any]) -> set[Any]:
    """Nodes from the starts back to the border, which is left out."""
    nodes, waiting = set[Any](), list(starts)
    while waiting:
        node = waiting.pop()
        if node is not None and node not in nodes and node not in border:
            nodes.add(node)
            waiting += [parent for parent, _ in node.next_functions]
    return nodes


def name_hidden(nodes: Collection[Any]) -> str:
    """Hidden functions in words; empty where there are none."""
    if not nodes:
        return ""
    names = ", ".join(sorted({str(node.name()).split("Backward")[0] for node in nodes})[:5])
    return (
        f"{len(nodes)} functions are hidden from the rules, in TorchScript or by a gradient of "
        f"their own ({names}), and keep their plain gradient"
    )
