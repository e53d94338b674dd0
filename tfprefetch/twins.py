"""Random operations with equal seeds, so that image and mask are flipped alike.

Each random operation has a state of its own. Two with equal seeds agree as long as all calls come
one after another; in parallel calls their states get out of step. So twins become one operation.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping
from typing import Any

from tfprefetch.function_graph import Body, Node
from tfprefetch.operations import is_random, seeds

_INCIDENTAL = frozenset({"_class", "_output_shapes"})


def merge_twins(body: Body, library: Any) -> tuple[Body, bool]:
    """The body with twins merged.

    Args:
        body: what a function does.
        library: the functions that its nodes call, as in a GraphDef.

    Returns:
        The body, and whether some are left that agree only if all calls come one after another:
        where the shape is known only later, or in the branches of a conditional or in a loop. (Of
        different shapes they do not agree in any case.)
    """
    constants = {
        node.outputs[0]: node.operation.node_def.attr["value"].SerializeToString()
        for node in body.nodes
        if node.type == "Const"
    }
    merged: dict[str, str] = {}
    seen: dict[Any, str] = {}
    left: collections.Counter[Any] = collections.Counter()
    doubtful = set()
    for node in _seeded(body):
        key = (node.type, *seeds(node.operation))
        twin = (
            tuple(constants.get(value, value) for value in node.inputs),
            tuple(
                (name, value.SerializeToString())
                for name, value in sorted(node.operation.node_def.attr.items())
                if name not in _INCIDENTAL
            ),
        )
        if (key, twin) in seen and not node.waits_for:
            merged[node.name] = seen[key, twin]
            continue
        seen[key, twin] = node.name
        left[key] += 1
        if node.waits_for or not constants.keys() >= set(node.inputs):
            doubtful.add(key)
    for branch in _branches(body):
        for node in _seeded(branch):
            key = (node.type, *seeds(node.operation))
            left[key] += 1
            doubtful.add(key)
    functions = {function.signature.name: function for function in library.function}
    for inner in (body, *_branches(body)):
        for node in inner.nodes:
            if node.branches is None:
                hidden = [*_seeded_in_functions(node.operation.node_def, functions)]
                left.update(hidden)
                doubtful.update(hidden)
    return body.with_merged(merged), any(left[key] > 1 for key in doubtful)


def draws_with_seed(node: Node) -> bool:
    """Whether it, or what is in its branches, draws random numbers that are to be repeatable."""
    inside = any(draws_with_seed(inner) for branch in node.branches or () for inner in branch.nodes)
    return inside or (is_random(node.operation) and seeds(node.operation) != (0, 0))


def _seeded(body: Body) -> Iterator[Node]:
    return (node for node in body.nodes if node.branches is None and draws_with_seed(node))


def _branches(body: Body) -> Iterator[Body]:
    for node in body.nodes:
        for branch in node.branches or ():
            yield branch
            yield from _branches(branch)


def _seeded_in_functions(node_def: Any, functions: Mapping[str, Any]) -> Iterator[Any]:
    """Types and seeds of the random operations in what a node calls, a loop's body for instance."""
    for value in node_def.attr.values():
        for called in (value.func, *value.list.func):
            if called.name not in functions:
                continue
            for inner in functions[called.name].node_def:
                # Looking up an attribute that is not there would add it.
                if "seed" in inner.attr and "seed2" in inner.attr:
                    key = inner.op, inner.attr["seed"].i, inner.attr["seed2"].i
                    if key[1:] != (0, 0):
                        yield key
                yield from _seeded_in_functions(inner, functions)
