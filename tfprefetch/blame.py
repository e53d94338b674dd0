"""When a block of elements fails, say which of them it was, and why.

tf.data keeps neither the element that made a mapped function fail nor its name. `tfprefetch.blocks`
runs a function over small datasets, blocks, nested in the pipeline. If anything in one fails, the
block becomes empty (`ignore_errors`), and what is concatenated to it, the explanation, gets its
turn: it runs the block again, this time to find the element. Until then it costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

_LONGEST_NAME_BYTES = 512
_WHERE_TENSORFLOW_WAS = re.compile(
    r"\A.*?(?:transformation with iterator: \S+: )|\n?\s*\[\[.*\Z", re.DOTALL
)
_IN_THE_LOG = "(the original error is in TensorFlow's log)"


@dataclass(frozen=True)
class Blame:
    """How to explain the failure of a block.

    Attributes:
        map_func: the function over single elements; None leaves them as they are.
        element_name: from an element to the scalar string that names it, None for the default.
        element_spec: the structure of an element before `map_func`.
        may_end: whether an OutOfRangeError in `map_func` ends the block (else it is an error).
        is_eager: whether `map_func` was written under eager execution, not for a graph.
    """

    map_func: Callable[..., Any] | None
    element_name: Callable[..., tf.Tensor] | None
    element_spec: Any
    may_end: bool
    is_eager: bool

    def _map(self, raw: tf.data.Dataset) -> tf.data.Dataset:
        return raw if self.map_func is None else map_elements(raw, self.map_func, self.may_end)

    def explain(
        self,
        first: tf.Tensor,
        raw: tf.data.Dataset,
        block_elements: tf.Tensor,
        result: Any,
    ) -> tf.data.Dataset:
        """A dataset that only raises.

        Args:
            first: the position of the block's first element in the whole dataset.
            raw: the block's elements, before `map_func`.
            block_elements: the most elements that the block holds.
            result: a value of the structure that the dataset's elements have.
        """
        mapped = self._map(raw)

        def is_sound(position: tf.Tensor) -> tf.data.Dataset:
            alone = self._map(raw.skip(position).take(1)).ignore_errors(log_warning=True)
            sound = alone.map(lambda *_: True)
            verdict = sound.concatenate(tf.data.Dataset.from_tensors(False)).take(1)
            return tf.data.Dataset.zip((tf.data.Dataset.from_tensors(position), verdict))

        # One after another, only as far as the first that fails: what fails writes to the log.
        verdicts = tf.data.Dataset.range(raw.cardinality()).flat_map(is_sound)
        position_failed = verdicts.filter(lambda _, sound: tf.logical_not(sound)).take(1)

        def element_at(position: tf.Tensor) -> tf.data.Dataset:
            def raise_for(*element: Any) -> Any:
                where = tf.strings.as_string(first + position)
                reason = self._run_again(*element)
                error = tf.strings.join(
                    ["map_func failed on element ", where, self._name(*element), ": ", reason]
                )
                with tf.control_dependencies([tf.debugging.Assert(tf.equal(reason, ""), [error])]):
                    return tf.nest.map_structure(tf.identity, element, expand_composites=True)

            # What is left is an error of another type, which `map_func` raises itself.
            unexplained = self._map(raw.skip(position).take(1).map(raise_for))
            succeeded = f"map_func failed once, but not when run again {_IN_THE_LOG}"
            return unexplained.map(lambda *_: _raise(tf.constant(succeeded), result))

        def raise_for_shapes(shapes: tf.Tensor) -> Any:
            return _raise(_describe_shapes(first, shapes), result)

        if self.map_func is None:
            failed = tf.data.Dataset.from_tensors(result).take(0)
        else:
            failed = position_failed.flat_map(lambda position, _: element_at(position))
        # If every element by itself is sound, it is the batch that failed.
        shapes = mapped.map(_shapes).batch(block_elements).take(1)
        return failed.concatenate(shapes.map(raise_for_shapes))

    def _name(self, *element: Any) -> tf.Tensor:
        """The element's name in brackets, or an empty string."""
        if self.element_name is not None:
            return tf.strings.join([" (", self.element_name(*element), ")"])
        names = []
        for tensor in tf.nest.flatten(element):
            if not tf.is_tensor(tensor) or tensor.shape.rank != 0:
                continue
            if tensor.dtype == tf.string:
                readable = tf.strings.unicode_transcode(
                    tensor, "UTF-8", "UTF-8", replace_control_characters=True
                )
                is_short = tf.strings.length(tensor) <= _LONGEST_NAME_BYTES
                names.append(tf.where(is_short, readable, ""))
            elif tensor.dtype.is_integer:
                names.append(tf.strings.as_string(tensor))
        if not names:
            return tf.constant("")
        stacked = tf.stack(names)
        stacked = tf.boolean_mask(stacked, tf.not_equal(stacked, ""))
        joined = tf.strings.reduce_join(stacked, separator=", ")
        return tf.where(tf.size(stacked) > 0, tf.strings.join([" (", joined, ")"]), "")

    def _run_again(self, *element: Any) -> tf.Tensor:
        """The text of the error that `map_func` raises for `element`, a scalar string.

        Empty if that is no InvalidArgumentError, which is the only type an explanation can have.
        """
        flat = tf.nest.flatten(element, expand_composites=True)
        if any(tensor.dtype in (tf.variant, tf.resource) for tensor in flat):
            return tf.constant(_IN_THE_LOG)

        def run(*flat: Any) -> bytes:
            return self._error_text(flat).encode("utf-8", "replace")

        # Not stateful, though map_func may be: else no pipeline with it could be checkpointed.
        text = tf.numpy_function(run, flat, tf.string, stateful=False)
        return tf.ensure_shape(text, [])

    def _error_text(self, flat: tuple[Any, ...]) -> str:
        try:
            if self.is_eager:
                for _ in self._single(flat):
                    pass
            else:
                with tf.Graph().as_default(), tf.compat.v1.Session() as session:
                    iterator = tf.compat.v1.data.make_initializable_iterator(self._single(flat))
                    step = tf.nest.flatten(iterator.get_next(), expand_composites=True)
                    session.run(iterator.initializer)
                    session.run(step)
        except (tf.errors.InvalidArgumentError, tf.errors.UnknownError) as error:
            return _WHERE_TENSORFLOW_WAS.sub("", error.message)
        except UnicodeDecodeError as error:  # TensorFlow quotes bytes that are no text
            text = bytes(error.object).decode("utf-8", "replace")
            return _WHERE_TENSORFLOW_WAS.sub("", text)
        except tf.errors.OpError:
            return ""
        except Exception:
            # What map_func captured from its graph cannot be had outside of its session.
            return _IN_THE_LOG
        return f"it succeeded when run again {_IN_THE_LOG}"

    def _single(self, flat: tuple[Any, ...]) -> tf.data.Dataset:
        dtypes = [spec.dtype for spec in tf.nest.flatten(self.element_spec, True)]
        tensors = [
            tf.convert_to_tensor(value, dtype) for value, dtype in zip(flat, dtypes, strict=True)
        ]
        element = tf.nest.pack_sequence_as(self.element_spec, tensors, True)
        return tf.data.Dataset.from_tensors(element).map(self.map_func)


def map_elements(
    raw: tf.data.Dataset, map_func: Callable[..., Any], may_end: bool
) -> tf.data.Dataset:
    """`Dataset.map`, in which an OutOfRangeError may end the dataset."""
    if may_end:
        # Only the older method takes OutOfRangeError for the end (preserve_cardinality=False).
        return tf.compat.v1.data.Dataset.map(raw, map_func)
    return raw.map(map_func)


def zip_window(window: Any) -> tf.data.Dataset:
    """The elements of what `Dataset.window` gives, a dataset or a structure of them."""
    return window if isinstance(window, tf.data.Dataset) else tf.data.Dataset.zip(window)


def _shapes(*element: Any) -> tf.Tensor:
    """The shape of each component, as text: string[components]."""
    shapes = []
    for part in tf.nest.flatten(element):
        if isinstance(part, tf.Tensor):
            sizes = tf.strings.as_string(tf.shape(part))
            part = tf.strings.join(["[", tf.strings.reduce_join(sizes, separator=", "), "]"])
        else:
            part = tf.constant("")  # sparse and ragged components may differ
        shapes.append(part)
    return tf.stack(shapes)


def _describe_shapes(first: tf.Tensor, shapes: tf.Tensor) -> tf.Tensor:
    differs = tf.not_equal(shapes, shapes[:1])
    row = tf.argmax(tf.reduce_any(differs, 1))
    component = tf.argmax(differs[row])
    disagreement = tf.strings.join(
        [
            "elements ",
            tf.strings.as_string(first),
            " and ",
            tf.strings.as_string(first + row),
            " cannot stand in one batch: component ",
            tf.strings.as_string(component),
            " of map_func's result has the shapes ",
            shapes[0, component],
            " and ",
            shapes[row, component],
            ". Make them equal in map_func (resize, crop, pad), or use map and padded_batch",
        ]
    )
    unknown = tf.strings.join(
        [
            "the block of elements that begins at ",
            tf.strings.as_string(first),
            f" failed, but not when run again {_IN_THE_LOG}",
        ]
    )
    return tf.where(tf.reduce_any(differs), disagreement, unknown)


def _raise(message: tf.Tensor, result: Any) -> Any:
    with tf.control_dependencies([tf.debugging.Assert(tf.constant(False), [message])]):
        return tf.nest.map_structure(tf.identity, result, expand_composites=True)
