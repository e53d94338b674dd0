"""A traced function, copied into the function that uses it.

    copy = FunctionCopy(body, library, captured, shapes)
    copy(*tensors)        # its operations again, in the default graph, on these tensors

A call would do the same, but tf.data refuses to save pipelines that call a function with an
assertion or a table in it, and it does save those with the operations themselves.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfprefetch.function_graph import Body, flatten, import_nodes, library_of
from tfprefetch.operations import Part
from tfprefetch.whole_batches import branch_contexts, run_on_batch

_TF1_BRANCHES = frozenset({"Switch", "RefSwitch"})


@dataclass(frozen=True, eq=False)
class FunctionCopy:
    """Operations to copy.

    Attributes:
        body: the operations.
        library: the functions that they call.
        captured: what stands outside of the function: variables, tables, constants.
        shapes: static shapes of the outputs; copied operations do not know of `set_shape`.
    """

    body: Body
    library: Any
    captured: tuple[Any, ...]
    shapes: tuple[tf.TensorShape, ...]

    def __call__(self, *values: tf.Tensor) -> list[tf.Tensor]:
        """Copies the operations into the default graph, a function's body."""
        graph = tf.compat.v1.get_default_graph()
        arguments = [*values, *(graph.capture(tensor) for tensor in self.captured)]
        if any(node.type in _TF1_BRANCHES for node in self.body.nodes):
            # Functions of TensorFlow 2 order ops that have effects or share a resource, which
            # TF1's control flow does not stand: of two branches only one is alive.
            specs = [tf.TensorSpec(value.shape, value.dtype) for value in arguments]
            results = tf.compat.v1.wrap_function(self._run, specs)(*arguments)
        else:
            results = self._run(*arguments)
        for result, shape in zip(results, self.shapes, strict=True):
            result.set_shape(shape)
        return list(results)

    def _run(self, *arguments: tf.Tensor) -> Sequence[tf.Tensor]:
        body = self.body
        values = dict(zip(body.inputs, arguments, strict=True))
        # What stands in a branch of TF1 may not run, and nothing can wait for that.
        contexts = branch_contexts(body)
        effects = [name for name in body.effects if not contexts[name]]
        wanted = [*body.outputs, *effects]
        elements = import_nodes(body.nodes, values, wanted, self.library)
        number = len(body.outputs)
        with tf.control_dependencies(elements[number:]):
            return [tf.identity(result) for result in elements[:number]]


def convert_to_batches(
    body: Body, captured: Sequence[Any], specs: Sequence[tf.TensorSpec]
) -> FunctionCopy:
    """The same for a whole batch; converted once, because that takes longer than copying.

    Args:
        body: what to do with one example.
        captured: what stands outside of it, for its last inputs.
        specs: of one example.

    Raises:
        NotOnBatches: an operation cannot run on a batch.
    """

    @tf.function(autograph=False)
    def run(*batches: tf.Tensor) -> list[tf.Tensor]:
        graph = tf.compat.v1.get_default_graph()
        parts = [Part(batch, True) for batch in batches]
        parts += [Part(graph.capture(tensor), False) for tensor in captured]
        return run_on_batch(body, parts, tf.shape(batches[0])[0])

    batch_specs = [tf.TensorSpec([None, *spec.shape], spec.dtype) for spec in specs]
    with _silence():
        function = run.get_concrete_function(*batch_specs)
    converted = flatten(function.graph, function.outputs)
    shapes = tuple(tensor.shape for tensor in function.outputs)
    library = library_of(function.graph, converted)
    return FunctionCopy(converted, library, tuple(function.captured_inputs), shapes)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Converters log what they cannot do as errors; here it is an answer."""
    logger = tf.get_logger()

    def refuse(record: logging.LogRecord) -> bool:
        return "pfor" not in record.getMessage()

    logger.addFilter(refuse)
    try:
        yield
    finally:
        logger.removeFilter(refuse)
