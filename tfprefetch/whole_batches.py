"""Runs a function that was written for one example on a whole batch.

    run_on_batch(body, batches)       # body: see tfprefetch.function_graph

The nodes are taken in turns: what is the same for all examples runs once, what has a version of
ours runs on the batch (`tfprefetch.batch_versions`), and what lies in between goes, as much of it
at a time as possible, through `tf.vectorized_map`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from tfprefetch.batch_versions import DIRECT, select, stacked
from tfprefetch.function_graph import LARGEST_CONSTANT, Body, Node, import_nodes
from tfprefetch.operations import NotOnBatches, Part, is_random, why_not

Contexts = dict[str, frozenset[tuple[str, bool]]]


def run_on_batch(body: Body, parts: Sequence[Part], size: tf.Tensor) -> list[tf.Tensor]:
    """Builds the operations for a batch in the default graph.

    Args:
        body: what to do with one example.
        parts: the values of its arguments.
        size: the number of examples, a scalar int32.

    Returns:
        The batches of its outputs, [size, ...] each.

    Raises:
        NotOnBatches: an operation cannot run on a batch.
    """
    values = dict(zip(body.inputs, parts, strict=True))
    checks = _Conversion(body, values, size, None).run()
    with tf.control_dependencies(checks):
        return [tf.identity(stacked(values[name], size)) for name in body.outputs]


class _Conversion:
    """One body on its way: `values` grows until it has everything."""

    def __init__(
        self, body: Body, values: dict[str, Part], size: tf.Tensor, taken: tf.Tensor | None
    ) -> None:
        self.body = body
        self.values = values
        self.size = size
        self.taken = taken  # bool[size]: the examples that take this branch; None for all
        self.contexts = branch_contexts(body)
        self.checks: list[tf.Operation] = []

    def run(self) -> list[tf.Operation]:
        """Converts every node; returns the checks that have to run."""
        reasons = {node.name: why_not(node) for node in self.body.nodes}
        reasons = {name: reason for name, reason in reasons.items() if reason}
        if reasons:
            raise NotOnBatches(reasons)
        waiting = list(self.body.nodes)
        waiting = self._run_what_is_the_same_for_all(waiting)
        while waiting:
            before = len(waiting)
            waiting = self._run_direct(waiting)
            waiting = self._run_vectorized(waiting)
            if len(waiting) == before:
                names = {node.name: "it is part of a loop" for node in waiting}
                raise NotOnBatches(names)
        return self.checks

    def _is_ready(self, node: Node) -> bool:
        asked = [*node.inputs]
        if node.type in ("Merge", "RefMerge"):
            chosen = merged_condition(node, self.contexts)
            asked += chosen[:1] if chosen else ()
        elif node.type == "Assert":
            asked += [condition for condition, _ in self.contexts.get(node.name, ())]
        return all(value in self.values for value in asked)

    def _run_what_is_the_same_for_all(self, waiting: list[Node]) -> list[Node]:
        same: dict[str, Node] = {}
        known = {value for value, part in self.values.items() if not part.is_stacked}
        rest = []
        for node in waiting:
            constant = None
            outputs = node.operation.outputs
            if len(outputs) == 1 and not self.contexts.get(node.name):
                # The static shape of a batch's examples, for instance, needs no batch.
                if (outputs[0].shape.num_elements() or 0) <= LARGEST_CONSTANT:
                    constant = tf.get_static_value(outputs[0])
            if constant is not None and node.type != "Const":
                tensor = tf.constant(constant, node.operation.outputs[0].dtype)
                self.values[node.outputs[0]] = Part(tensor, False)
                known.add(node.outputs[0])
            elif (
                known.issuperset(node.inputs)
                and not is_random(node.operation)
                and node.branches is None
                and node.type not in ("Assert", "Switch", "RefSwitch", "Merge", "RefMerge")
            ):
                same[node.name] = node
                known.update(node.outputs)
            else:
                rest.append(node)
        nodes = [Node(node.name, node.operation, node.inputs) for node in same.values()]
        wanted = [value for node in nodes for value in node.outputs]
        tensors = {value: part.tensor for value, part in self.values.items()}
        for value, tensor in zip(wanted, import_nodes(nodes, tensors, wanted), strict=True):
            self.values[value] = Part(tensor, False)
        return rest

    def _run_direct(self, waiting: list[Node]) -> list[Node]:
        rest = []
        for node in waiting:
            if not self._is_ready(node):
                rest.append(node)
                continue
            parts = [self.values[value] for value in node.inputs]
            if node.branches is not None:
                results = self._conditional(node, parts)
            elif node.type in ("Merge", "RefMerge"):
                results = self._merge(node, parts)
            elif node.type == "Assert":
                self._check(node, parts[0])
                continue
            elif node.type == "NoOp":
                continue
            elif node.type in DIRECT:
                results = self._direct(node, parts)
            else:
                results = None
            if results is None:
                rest.append(node)
                continue
            for value, result in zip(node.outputs, results, strict=False):
                self.values[value] = result if isinstance(result, Part) else Part(result, True)
        return rest

    def _direct(self, node: Node, parts: Sequence[Part]) -> list[tf.Tensor | Part] | None:
        try:
            return DIRECT[node.type](node, parts, self.size)
        except NotOnBatches:
            raise
        except Exception as error:  # of an unknown rank, for instance
            raise NotOnBatches({node.name: _short(error)}) from error

    def _run_vectorized(self, waiting: list[Node]) -> list[Node]:
        segment: dict[str, Node] = {}
        made: set[str] = set()
        rest = []
        for node in waiting:
            ready = all(value in self.values or value in made for value in node.inputs)
            is_slice = node.type == "Slice" and node.inputs[1] in made
            if ready and not is_slice and (node.type not in DIRECT or node.type == "Slice"):
                if node.branches is None and node.type not in ("Merge", "RefMerge", "Assert"):
                    segment[node.name] = node
                    made.update(node.outputs)
                    continue
            rest.append(node)
        if segment:
            self._vectorize(list(segment.values()), rest)
        return rest

    def _vectorize(self, segment: list[Node], rest: list[Node]) -> None:
        made = {value for node in segment for value in node.outputs}
        read = {value for node in rest for value in node.inputs} | set(self.body.outputs)
        # What TF1's conditionals go by is read by way of an Identity, but asked for by name.
        read |= {condition for met in self.contexts.values() for condition, _ in met}
        wanted = sorted(made & read)
        if not wanted:
            return
        try:
            results = self._vectorized(segment, wanted)
        except Exception as error:  # whatever a converter raises means that it does not fit
            raise NotOnBatches(
                self._culprits(segment) or {segment[-1].name: _short(error)}
            ) from error
        for value, result in zip(wanted, results, strict=True):
            self.values[value] = Part(result, True)

    def _vectorized(self, nodes: Sequence[Node], wanted: Sequence[str]) -> list[tf.Tensor]:
        read = {value for node in nodes for value in node.inputs if value in self.values}
        fixed = {
            name: self.values[name].tensor for name in read if not self.values[name].is_stacked
        }
        names = sorted(name for name in read if self.values[name].is_stacked)
        batches = [self.values[name].tensor for name in names]
        plain = [Node(node.name, node.operation, node.inputs) for node in nodes]

        def run(elements: Sequence[tf.Tensor]) -> list[tf.Tensor]:
            _, *examples = elements
            values = {**fixed, **dict(zip(names, examples, strict=True))}
            return import_nodes(plain, values, wanted)

        numbers = tf.range(self.size)  # also where all that it needs is random numbers
        return tf.vectorized_map(run, [numbers, *batches], fallback_to_while_loop=False)

    def _culprits(self, segment: Sequence[Node]) -> dict[str, str]:
        """The nodes of a segment that have no version for batches, each tried by itself."""
        found: dict[str, str] = {}
        for node in segment:
            if not self._is_ready(node):
                continue
            try:
                results = self._vectorized([node], node.outputs)
            except Exception as error:
                found[node.name] = _short(error)
                continue
            for value, result in zip(node.outputs, results, strict=True):
                self.values[value] = Part(result, True)
        return found

    def _conditional(self, node: Node, parts: Sequence[Part]) -> list[tf.Tensor]:
        """Both branches for all examples, then for every example the result that it would have."""
        condition, *arguments = parts
        if condition.tensor.dtype == tf.string:
            raise NotOnBatches({node.name: "its condition is a string"})
        then, otherwise = node.branches
        for one, other in zip(then.outputs, otherwise.outputs, strict=True):
            if not _are_equal(_static_shape(then, one), _static_shape(otherwise, other)):
                raise NotOnBatches({node.name: "its branches give different shapes"})
        mask = tf.cast(stacked(condition, self.size), tf.bool)
        found = []
        for branch, taken in ((then, mask), (otherwise, tf.logical_not(mask))):
            taken = taken if self.taken is None else tf.logical_and(self.taken, taken)
            values = dict(zip(branch.inputs, arguments, strict=True))
            try:
                self.checks += _Conversion(branch, values, self.size, taken).run()
            except NotOnBatches as error:
                raise NotOnBatches({node.name: str(error)}) from error
            found.append([values[name] for name in branch.outputs])
        chosen = Part(mask, True)
        return [select(chosen, one, other, self.size) for one, other in zip(*found, strict=True)]

    def _merge(self, node: Node, parts: Sequence[Part]) -> list[tf.Tensor]:
        chosen = merged_condition(node, self.contexts)
        shapes = [tensor.shape for tensor in node.operation.inputs]
        if chosen is None or not _are_equal(*shapes):
            raise NotOnBatches({node.name: "its branches give different shapes"})
        condition, false_first = chosen
        otherwise, then = parts if false_first else reversed(parts)
        return [select(self.values[condition], then, otherwise, self.size)]

    def _check(self, node: Node, condition: Part) -> None:
        holds = condition.tensor
        skipped = [] if self.taken is None else [tf.logical_not(self.taken)]
        for name, side in self.contexts.get(node.name, ()):
            goes = tf.cast(stacked(self.values[name], self.size), tf.bool)
            skipped.append(tf.logical_not(goes) if side else goes)
        for other in skipped:
            holds = tf.logical_or(holds, other)
        # What it says does not matter: the examples of a batch that fails run one by one.
        self.checks.append(tf.debugging.Assert(tf.reduce_all(holds), [node.name]))


def branch_contexts(body: Body) -> Contexts:
    """For TF1's conditionals: under which conditions a node runs, by name (none: always)."""
    contexts: Contexts = {}
    same: dict[str, str] = {}  # TF1 asks some switches for the condition, some for a copy of it
    for node in body.nodes:
        if node.type == "Identity":
            same[node.outputs[0]] = same.get(node.inputs[0], node.inputs[0])
        values = [context_of(value, contexts) for value in node.inputs]
        waits = [contexts.get(name, frozenset()) for name in node.waits_for]
        if node.type in ("Switch", "RefSwitch"):
            contexts[node.name] = frozenset().union(*values, *waits)
            for index, side in enumerate((False, True)):
                condition = same.get(node.inputs[1], node.inputs[1])
                contexts[f"{node.name}:{index}"] = contexts[node.name] | {(condition, side)}
        elif node.type in ("Merge", "RefMerge"):
            contexts[node.name] = frozenset.intersection(*values)
        else:
            contexts[node.name] = frozenset().union(*values, *waits)
    return contexts


def context_of(value: str, contexts: Contexts) -> frozenset[tuple[str, bool]]:
    """The conditions under which a value is there."""
    return contexts.get(value, contexts.get(value.rpartition(":")[0], frozenset()))


def merged_condition(node: Node, contexts: Mapping[str, frozenset]) -> tuple[str, bool] | None:
    """Of a Merge: the condition that chooses, and whether the first input is that for False."""
    first, second = (context_of(value, contexts) for value in node.inputs)
    only_first, only_second = first - second, second - first
    if len(only_first) != 1 or len(only_second) != 1:
        return None
    ((condition, side),), ((other, _),) = only_first, only_second
    return (condition, not side) if condition == other else None


def _static_shape(body: Body, value: str) -> tf.TensorShape:
    for node in body.nodes:
        if value in node.outputs:
            return node.shape(value)
    return tf.TensorShape(None)


def _are_equal(one: tf.TensorShape, other: tf.TensorShape) -> bool:
    return one.is_fully_defined() and other.is_fully_defined() and one.as_list() == other.as_list()


def _short(error: Exception) -> str:
    """The first line of what a converter says, in plain words where TensorFlow's are not."""
    if isinstance(error, TypeError) and error.__context__ is not None:
        error = error.__context__  # TensorFlow's own report of it failed
    text = str(error).strip().split("\n")[0]
    if "No pfor vectorization" in text:
        return "TensorFlow has no version of it for batches"
    if "expected to be loop invariant" in text:
        return "its arguments differ between examples"
    return f"TensorFlow cannot run it on batches: {text[:120]}"
