import torch

from cellxai.explain.backward.seen_graph import SeenGraph, name_hidden, nodes_of


def test_what_was_noted_is_seen_and_the_rest_is_hidden_once():
    leaf = torch.ones(3, requires_grad=True)
    a = leaf.exp()
    b = a.sin()
    c = b + leaf
    graph = SeenGraph()
    graph.note(nodes_of([leaf]), a)
    graph.note(nodes_of([b, leaf]), c)
    hidden = graph.hidden_nodes(c)
    assert {node.name() for node in hidden} == {"SinBackward0"}
    assert name_hidden(hidden).startswith("1 functions are hidden from the rules")
    assert "(Sin)" in name_hidden(hidden)
    graph.note((), c)
    assert graph.hidden_nodes(c) == set()
    assert name_hidden(()) == ""
