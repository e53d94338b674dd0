"""The user's own preprocessing, copied out of the graph into a function.

    subgraph = capture(outputs, sources)
    subgraph.inputs            # the source tensors that it reads
    subgraph(*values)          # the same ops again, on `values`, inside a dataset's function

Between a recorded source and `batch` stand the user's own ops. In TF1 a queue runner ran them
once per element; here they become the body of `Dataset.map`. Every ancestor is copied, also
those with no source above them: a `tf.random_uniform` that picks a crop must be drawn anew for
every element. What holds state outside the graph (tables, resource variables, iterators) stays
outside and is reached through its handle.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import tensorflow as tf

# Variables of TF1 live in the graph by name: a copy with the same shared name is the same variable.
_REF_VARIABLES = frozenset({"Variable", "VariableV2"})
_LOOPS = frozenset({"Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "RefNextIteration"})
# Stateful only in name: running these in any order, or in parallel, gives the same elements.
_HARMLESS = frozenset(
    {
        "Assert",
        "CheckNumerics",
        "CheckNumericsV2",
        "LookupTableFind",
        "LookupTableFindV2",
        "LookupTableSize",
        "LookupTableSizeV2",
        "Print",
        "PrintV2",
        "ReadVariableOp",
        *_REF_VARIABLES,
    }
)
# TF1's control flow: which of these ops run is decided while they run.
_BRANCHES = frozenset({"Switch", "RefSwitch", *_LOOPS})
# What hands a handle on, as `tf.cond` does, or makes one anew for every element.
_PASS_HANDLES = frozenset({"Identity", "Switch", "TensorArrayV3", *_LOOPS})
# Larger constants (a whole data set to gather from) are not copied with every function.
_COPIED_CONSTANT_ELEMENTS = 1024
# What may differ between ops that do the same: TF1 gave each random op a seed of its own.
_INCIDENTAL = frozenset({"_class", "_output_shapes", "seed", "seed2"})


class Unplannable(Exception):
    """This pipeline cannot be a dataset; the message says why, for the user."""


@dataclasses.dataclass(frozen=True, eq=False)
class SubGraph:
    """Ops copied out of a graph.

    Attributes:
      graph: where they come from.
      operations: what is copied, in order of creation.
      inputs: source tensors that the ops read; the arguments of a call.
      captured: handles that stay outside, e.g. of a lookup table.
      outputs: the tensors that a call returns.
      effects: ops among them that run with every call, though no output needs them.
      shapes: static shapes of what a call returns; checked when it runs.
    """

    graph: tf.Graph
    operations: tuple[tf.Operation, ...]
    inputs: tuple[tf.Tensor, ...]
    captured: tuple[tf.Tensor, ...]
    outputs: tuple[tf.Tensor, ...]
    effects: tuple[tf.Operation, ...]
    shapes: tuple[tf.TensorShape, ...]

    @property
    def signature(self) -> object:
        """Equal for two sub-graphs that do the same to their inputs, in order."""
        names = {tensor.name: f"input {index}" for index, tensor in enumerate(self.inputs)}
        names |= {tensor.name: f"captured {_identity(tensor)}" for tensor in self.captured}
        for index, operation in enumerate(self.operations):
            for output in operation.outputs:
                names[output.name] = f"output {index} {output.value_index}"
        parts: list[object] = []
        for operation in self.operations:
            parts.append(
                (
                    operation.type,
                    operation.name if operation.type in _REF_VARIABLES else "",
                    _attributes(operation),
                    tuple(names[tensor.name] for tensor in operation.inputs),
                )
            )
        positions = {operation: index for index, operation in enumerate(self.operations)}
        order = tuple(
            tuple(sorted(positions[op] for op in operation.control_inputs if op in positions))
            for operation in self.operations
        )
        outputs = tuple(names[tensor.name] for tensor in self.outputs)
        effects = tuple(positions[operation] for operation in self.effects)
        return tuple(parts), order, outputs, effects

    @property
    def random_operations(self) -> list[tf.Operation]:
        """Ops that draw random numbers from a stream of their own."""
        return [operation for operation in self.operations if _is_random(operation)]

    @property
    def has_effects(self) -> bool:
        """Whether calls have to come one after another (`py_func`, counters, assignments)."""
        return any(_has_effect(operation) for operation in self.operations)

    @property
    def is_seeded(self) -> bool:
        """Whether the user asked for repeatable random numbers."""
        return any(_seeds(operation) != (0, 0) for operation in self.random_operations)

    def __str__(self) -> str:
        # Constants and identities are plumbing; what is left is what the user would name.
        plumbing = {"Const", "Identity", "NoOp"}
        names = [operation.type for operation in self.operations if operation.type not in plumbing]
        counted = collections.Counter(names)
        return ", ".join(
            name if number == 1 else f"{number} {name}" for name, number in counted.items()
        )

    def __call__(self, *values: tf.Tensor) -> list[tf.Tensor]:
        """Copies the ops into the default graph, a function's body, with `values` as inputs."""
        target = tf.compat.v1.get_default_graph()
        arguments = [*values, *(target.capture(tensor) for tensor in self.captured)]
        body = self._body
        if any(operation.type in _BRANCHES for operation in self.operations):
            # Functions of TensorFlow 2 order ops that have effects or share a resource, which
            # TF1's control flow does not stand: of two branches only one is alive.
            specs = [tf.TensorSpec(value.shape, value.dtype) for value in arguments]
            body = tf.compat.v1.wrap_function(body, specs)
        results = body(*arguments)
        return [
            _with_shape(result, shape) for result, shape in zip(results, self.shapes, strict=True)
        ]

    def _body(self, *arguments: tf.Tensor) -> list[tf.Tensor]:
        sources = (tensor.name for tensor in (*self.inputs, *self.captured))
        mapped = dict(zip(sources, arguments, strict=True))
        effects = self._copy(mapped) if self.operations else []
        with tf.control_dependencies(effects):
            return [tf.identity(mapped[tensor.name]) for tensor in self.outputs]

    def _copy(self, mapped: dict[str, tf.Tensor]) -> list[tf.Operation]:
        """Imports the ops, adds the outputs that they make to `mapped`, returns the effects."""
        inside = set(self.operations)
        made = [tensor for tensor in self.outputs if tensor.op in inside]
        graph_def = self._graph_def(inside)
        # Entries that no op reads raise errors with garbage names.
        read = {
            name if ":" in name else f"{name}:0" for node in graph_def.node for name in node.input
        }
        imported = tf.compat.v1.import_graph_def(
            graph_def,
            input_map={name: value for name, value in mapped.items() if name in read},
            return_elements=[element.name for element in (*made, *self.effects)],
            name="preprocessing",
        )
        mapped.update(zip((tensor.name for tensor in made), imported, strict=False))
        return imported[len(made) :]

    def _graph_def(self, inside: set[tf.Operation]) -> tf.compat.v1.GraphDef:
        graph_def = tf.compat.v1.GraphDef()
        for operation in self.operations:
            node = graph_def.node.add()
            node.CopyFrom(operation.node_def)
            # The pipeline runs on the host, wherever the model's ops were placed.
            node.device = ""
            node.attr.pop("_class", None)
            if operation.type in _REF_VARIABLES and not node.attr["shared_name"].s:
                node.attr["shared_name"].s = operation.name.encode()
            kept = [name for name in node.input if not name.startswith("^")]
            kept += [f"^{op.name}" for op in operation.control_inputs if op in inside]
            del node.input[:]
            node.input.extend(kept)
        if any(_calls_functions(operation) for operation in self.operations):
            graph_def.library.CopyFrom(self.graph.as_graph_def().library)
        graph_def.versions.CopyFrom(self.graph.graph_def_versions)
        return graph_def


def capture(
    outputs: Sequence[tf.Tensor],
    sources: Mapping[tf.Operation, Sequence[tf.Operation]],
) -> SubGraph:
    """Walks back from `outputs` to the sources.

    Args:
      outputs: tensors of one graph.
      sources: the ops that deliver the elements of recorded pipelines, each with those that the
        program wants to have run before it (`tf.control_dependencies`).

    Returns:
      What stands between the sources and `outputs`.

    Raises:
      Unplannable: an op in between cannot run inside a dataset; the message names it.
    """
    graph = outputs[0].graph
    inputs: dict[str, tf.Tensor] = {}
    captured: dict[str, tf.Tensor] = {}
    inside: dict[tf.Operation, None] = {}
    pending: list[tf.Operation] = []
    effects: dict[tf.Operation, None] = {}

    def visit(tensor: tf.Tensor) -> None:
        if tensor.op in sources:
            inputs[tensor.name] = tensor
            for operation in sources[tensor.op]:
                if operation not in sources:
                    effects[operation] = None
                wait_for(operation)
        elif _is_outside(tensor) or _is_large_constant(tensor):
            captured[tensor.name] = tensor
        else:
            pending.append(tensor.op)

    def wait_for(operation: tf.Operation) -> None:
        if operation in sources:
            visit(operation.outputs[0])  # an element is taken, though nobody looks at it
        else:
            pending.append(operation)

    for tensor in outputs:
        visit(tensor)
    while pending:
        operation = pending.pop()
        if operation in inside:
            continue
        _check(operation)
        inside[operation] = None
        for tensor in operation.inputs:
            visit(tensor)
        for control_input in operation.control_inputs:
            wait_for(control_input)
    order = [operation for operation in graph.get_operations() if operation in inside]
    return SubGraph(
        graph,
        operations=tuple(order),
        inputs=tuple(inputs.values()),
        captured=tuple(captured.values()),
        outputs=tuple(outputs),
        effects=tuple(effects),
        shapes=tuple(tensor.shape for tensor in outputs),
    )


def _check(operation: tf.Operation) -> None:
    if operation.type.startswith(("Queue", "FIFOQueue", "RandomShuffleQueue", "PaddingFIFOQueue")):
        raise Unplannable(f"{operation.name} takes from a queue of the program's own")
    if operation.type.startswith("Reader"):
        raise Unplannable(f"{operation.name} reads through a TF1 reader on a real queue")
    if operation.type == "Placeholder":
        raise Unplannable(f"{operation.name} is a placeholder, which a dataset cannot be fed")


def _is_outside(tensor: tf.Tensor) -> bool:
    """Whether it is the handle of something that lives longer than an element."""
    return tensor.dtype == tf.resource and tensor.op.type not in _PASS_HANDLES


def _is_large_constant(tensor: tf.Tensor) -> bool:
    return tensor.op.type == "Const" and tensor.shape.num_elements() > _COPIED_CONSTANT_ELEMENTS


def _identity(tensor: tf.Tensor) -> object:
    """Equal for handles of the same resource and for equal constants."""
    return _attributes(tensor.op) if tensor.op.type == "Const" else tensor.name


def _attributes(operation: tf.Operation) -> tuple[tuple[str, bytes], ...]:
    attributes = operation.node_def.attr
    return tuple(
        (name, attributes[name].SerializeToString(deterministic=True))
        for name in sorted(attributes)
        if name not in _INCIDENTAL
    )


def _has_effect(operation: tf.Operation) -> bool:
    if any(argument.is_ref for argument in operation.op_def.input_arg):
        return not operation.type.startswith("Ref")  # it assigns to a variable of TF1
    return (
        operation.op_def.is_stateful
        and not _is_random(operation)
        and operation.type not in _HARMLESS
        and not operation.type.startswith("TensorArray")  # made anew by every call
    )


def _is_random(operation: tf.Operation) -> bool:
    attributes = operation.node_def.attr
    return operation.op_def.is_stateful and "seed" in attributes and "seed2" in attributes


def _seeds(operation: tf.Operation) -> tuple[int, int]:
    attributes = operation.node_def.attr
    return attributes["seed"].i, attributes["seed2"].i


def _calls_functions(operation: tf.Operation) -> bool:
    return any(
        value.HasField("func") or value.list.func for value in operation.node_def.attr.values()
    )


def _with_shape(value: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Gives `value` the shape that the user's graph promised (`set_shape`), and checks it."""
    known = value.shape.merge_with(shape)
    if known.rank is None:
        return value
    if value.shape.rank is not None and value.shape.as_list() == known.as_list():
        return value
    return tf.ensure_shape(value, known)
