"""A traced function as a list of nodes: what `tfprefetch.whole_batches` reads and rearranges.

    body = flatten(function.graph, function.outputs)
    body.nodes            # the operations, those of called functions among them, in order
    body.outputs          # names of values, "node:0"

Values are known by name: `"node:0"` is the first output of a node, `body.inputs` are the names of
the arguments. Calls of other functions are replaced by what they call; conditionals keep their
branches, each a body of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

# Larger ones are captured: they stand in memory once, however often a function is copied.
LARGEST_CONSTANT = 1024  # elements
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_CONDITIONALS = frozenset({"If", "StatelessIf"})
# TF1's, where a node's place matters.
_CONTROL_FLOW = frozenset({"Enter", "Merge", "RefEnter", "RefMerge", "RefSwitch", "Switch"})


@dataclass(frozen=True, eq=False)
class Node:
    """One operation.

    Attributes:
        name: unique in the outermost body.
        operation: where its type, attributes and static shapes come from.
        inputs: names of the values that it reads.
        waits_for: names of the nodes that have to run before it.
        branches: of a conditional: what runs if the condition is true, and if it is false.
    """

    name: str
    operation: tf.Operation
    inputs: tuple[str, ...]
    waits_for: tuple[str, ...] = ()
    branches: tuple[Body, Body] | None = None

    @property
    def type(self) -> str:
        """The operation's type, for instance `"DecodeRaw"`."""
        return self.operation.type

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the values that it makes."""
        return tuple(f"{self.name}:{index}" for index in range(len(self.operation.outputs)))

    def shape(self, value: str) -> tf.TensorShape:
        """The static shape of one of its outputs."""
        return self.operation.outputs[int(value.rpartition(":")[2])].shape


@dataclass(frozen=True, eq=False)
class Body:
    """What a function does.

    Attributes:
        inputs: names of the arguments, those that the function captured at the end.
        nodes: what is needed for the outputs and the effects, in an order in which it can run.
        outputs: names of the values that it returns.
        effects: names of the nodes that run though nobody reads them: assertions and the like.
    """

    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    effects: tuple[str, ...]

    def with_merged(self, merged: Mapping[str, str]) -> Body:
        """The same with other nodes in the place of some: `merged` has both names."""

        def value(name: str) -> str:
            node, _, index = name.rpartition(":")
            return f"{merged.get(node, node)}:{index}"

        nodes = [
            replace(
                node,
                inputs=tuple(map(value, node.inputs)),
                waits_for=tuple(merged.get(name, name) for name in node.waits_for),
            )
            for node in self.nodes
            if node.name not in merged
        ]
        effects = tuple(name for name in self.effects if name not in merged)
        return Body(self.inputs, tuple(nodes), tuple(map(value, self.outputs)), effects)


def flatten(graph: tf.Graph, outputs: Sequence[tf.Tensor]) -> Body:
    """The body of a traced function.

    Args:
        graph: the `.graph` of a concrete function.
        outputs: those of its tensors that are wanted.
    """
    return _body(graph, outputs, "")


def capture_constants(body: Body) -> tuple[Body, tuple[tf.Tensor, ...]]:
    """Takes large constants out of a body, along with what is computed from constants alone.

    Returns:
        The body with an input more for each value that it took from there, and these values. In a
        graph of TF1 it takes none: there, TensorFlow may crash where they are captured.
    """
    if not tf.executing_eagerly():
        return body, ()
    constant: set[str] = set()
    large: dict[str, Node] = {}
    of_large: set[str] = set()
    for node in body.nodes:
        if constant.issuperset(node.inputs) and _is_pure(node) and node.name not in body.effects:
            constant.update(node.outputs)
            sizes = [node.shape(value).num_elements() or 0 for value in node.outputs]
            if max(sizes, default=0) > LARGEST_CONSTANT or not of_large.isdisjoint(node.inputs):
                large[node.name] = node
                of_large.update(node.outputs)
    rest = [node for node in body.nodes if node.name not in large]
    read = [value for node in rest for value in node.inputs]
    values = [value for value in dict.fromkeys([*read, *body.outputs]) if value in of_large]
    if not values:
        return body, ()

    needed = ancestors(body.nodes, [value.rpartition(":")[0] for value in values])

    @tf.function(autograph=False)
    def compute() -> list[tf.Tensor]:
        return import_nodes([node for node in body.nodes if node.name in needed], {}, values)

    with tf.device("CPU:0"):  # where input pipelines run
        tensors = tuple(compute())
    ends = [*(value.rpartition(":")[0] for value in body.outputs), *body.effects]
    left = ancestors(rest, ends)
    nodes = tuple(node for node in rest if node.name in left)
    return replace(body, inputs=(*body.inputs, *values), nodes=nodes), tensors


def library_of(graph: tf.Graph, body: Body) -> Any:
    """The functions that the nodes of a graph's body call, as in a GraphDef."""
    if any(map(_calls, body.nodes)):
        return graph.as_graph_def().library
    return tf.compat.v1.GraphDef().library  # without a copy of all constants


def ancestors(nodes: Iterable[Node], names: Iterable[str]) -> set[str]:
    """The names of the nodes in `names` and of all nodes whose work they need."""
    by_name = {node.name: node for node in nodes}
    found: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name in found or name not in by_name:
            continue
        found.add(name)
        node = by_name[name]
        pending += [value.rpartition(":")[0] for value in node.inputs]
        pending += node.waits_for
    return found


def import_nodes(
    nodes: Sequence[Node],
    values: Mapping[str, tf.Tensor],
    wanted: Sequence[str],
    library: Any = None,
) -> list[Any]:
    """Copies `nodes` into the default graph.

    Args:
        nodes: in any order.
        values: what stands for the values that come from elsewhere.
        wanted: the names of the values to return, or of nodes, for their operations.
        library: the functions that the nodes call, as in a GraphDef.
    """
    graph_def = tf.compat.v1.GraphDef()
    inside = {node.name for node in nodes}
    needed = set()
    for node in nodes:
        node_def = graph_def.node.add()
        node_def.CopyFrom(node.operation.node_def)
        node_def.name = node.name
        node_def.device = ""  # input pipelines run on the host
        node_def.attr.pop("_class", None)
        del node_def.input[:]
        node_def.input.extend(node.inputs)
        node_def.input.extend(f"^{name}" for name in node.waits_for if name in inside)
        needed.update(node.inputs)
    if library is not None:
        graph_def.library.CopyFrom(library)
    made = [name for name in wanted if name.partition(":")[0] in inside]
    imported = tf.compat.v1.import_graph_def(
        graph_def,
        # Entries that no node reads are errors.
        input_map={name: values[name] for name in needed if name in values},
        return_elements=made,
        name="map_func",
    )
    found = dict(zip(made, imported or [], strict=True))
    return [found[name] if name in found else values[name] for name in wanted]


def _calls(node: Node) -> bool:
    types = {attribute.type for attribute in node.operation.op_def.attr}
    return not types.isdisjoint(("func", "list(func)"))


def _is_pure(node: Node) -> bool:
    """Whether equal inputs always give equal outputs, whenever it runs."""
    return not (
        node.operation.op_def.is_stateful
        or node.waits_for
        or node.type in _CONTROL_FLOW
        or _calls(node)
        or any(tensor.dtype in (tf.variant, tf.resource) for tensor in node.operation.outputs)
    )


def _body(graph: tf.Graph, outputs: Sequence[tf.Tensor], prefix: str) -> Body:
    inputs = tuple(f"{prefix}argument_{index}:0" for index in range(len(graph.inputs)))
    values = {tensor.name: name for tensor, name in zip(graph.inputs, inputs, strict=True)}
    nodes, waits_for = _nodes(graph, prefix, values)
    names = tuple(values[tensor.name] for tensor in outputs)
    effects = [name for operation in graph.control_outputs for name in waits_for[operation.name]]
    needed = ancestors(nodes, [*(name.rpartition(":")[0] for name in names), *effects])
    nodes = [node for node in nodes if node.name in needed]
    # What nobody reads, but for its effect, is an effect, too, if only by being waited for.
    read = {value.rpartition(":")[0] for node in nodes for value in node.inputs}
    read |= {name.rpartition(":")[0] for name in names}
    effects = [
        node.name
        for node in nodes
        if node.name in effects or (node.operation.op_def.is_stateful and node.name not in read)
    ]
    return Body(inputs, tuple(nodes), names, tuple(effects))


def _nodes(
    graph: tf.Graph, prefix: str, values: dict[str, str]
) -> tuple[list[Node], dict[str, tuple[str, ...]]]:
    """The nodes of `graph`, and for each operation the nodes to wait for in its place.

    Adds the names of all values to `values`, under the names that they have in `graph`.
    """
    nodes: list[Node] = []
    waits_for: dict[str, tuple[str, ...]] = {}
    arguments = {tensor.op.name for tensor in graph.inputs}
    for operation in graph.get_operations():
        if operation.name in arguments:
            waits_for[operation.name] = ()
            continue
        name = prefix + operation.name
        waits = tuple(
            wait for before in operation.control_inputs for wait in waits_for.get(before.name, ())
        )
        if operation.type in _CALLS:
            called = _function_graph(operation, "f")
            inner = {
                tensor.name: values[value.name]
                for tensor, value in zip(called.inputs, operation.inputs, strict=True)
            }
            inner_nodes, inner_waits = _nodes(called, f"{name}/", inner)
            nodes += [replace(node, waits_for=(*node.waits_for, *waits)) for node in inner_nodes]
            for output, result in zip(operation.outputs, called.outputs, strict=True):
                values[output.name] = inner[result.name]
            waits_for[operation.name] = tuple(
                wait for last in called.control_outputs for wait in inner_waits[last.name]
            )
            continue
        branches = None
        if operation.type in _CONDITIONALS:
            then, otherwise = (
                _function_graph(operation, attribute)
                for attribute in ("then_branch", "else_branch")
            )
            branches = (
                _body(then, then.outputs, f"{name}/then/"),
                _body(otherwise, otherwise.outputs, f"{name}/else/"),
            )
        # An edge of a loop comes from an operation that follows.
        inputs = tuple(values.get(tensor.name, prefix + tensor.name) for tensor in operation.inputs)
        nodes.append(Node(name, operation, inputs, waits, branches))
        waits_for[operation.name] = (name,)
        for output in operation.outputs:
            values[output.name] = prefix + output.name
    return nodes, waits_for


def _function_graph(operation: tf.Operation, attribute: str) -> Any:
    # TensorFlow has no public way from an operation to the graph of the function that it calls.
    return operation.graph._get_function(operation.node_def.attr[attribute].func.name).graph
