"""Batches of a size that is known only when they run, and elements put back by those too short.

    asked, leftovers = AskedNumber("batch/size"), Leftovers("batch/leftovers", specs)
    plan = plan.then(Take(asked, drop_remainder=True, leftovers=leftovers))

A dataset cannot be fed. So the number goes into a staging area before an element is asked for,
and the dataset looks there. What was taken for a batch that then lacked elements stays available,
as in a queue of TF1: a smaller batch can still have it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from compat.plan.plan import ENDLESS, Stage, map_until_end
from tfprefetch.empty_value import empty_value

_function = tf.autograph.experimental.do_not_convert


@dataclasses.dataclass(frozen=True)
class AskedNumber:
    """How many elements the next batch is to have.

    Attributes:
      name: unique in its graph.
    """

    name: str

    def ask(self, number: tf.Tensor) -> tf.Operation:
        """An op that sets the number."""
        # One that was asked for in vain, because the run failed, must not be found again.
        clear = tf.raw_ops.StageClear(dtypes=[tf.int64], shared_name=self.name)
        with tf.control_dependencies([clear]):
            return tf.raw_ops.Stage(values=[tf.cast(number, tf.int64)], shared_name=self.name)

    def value(self) -> tf.Tensor:
        """The number, an int64 scalar."""
        return tf.raw_ops.StagePeek(index=0, dtypes=[tf.int64], shared_name=self.name)[0]


@dataclasses.dataclass(frozen=True)
class Leftovers:
    """Elements that were taken and put back, in order.

    Attributes:
      name: unique in its graph.
      specs: shapes and dtypes of an element's components.
    """

    name: str
    specs: tuple[tf.TensorSpec, ...]

    @property
    def _dtypes(self) -> list[tf.DType]:
        return [spec.dtype for spec in self.specs]

    def put(self, rows: list[tf.Tensor]) -> tf.Operation:
        """An op that puts back the elements stacked in `rows`, inside a dataset's function."""

        def put_row(index: tf.Tensor) -> tf.Tensor:
            stage = tf.raw_ops.Stage(values=[part[index] for part in rows], shared_name=self.name)
            with tf.control_dependencies([stage]):
                return index + 1

        number = tf.shape(rows[0])[0]
        return tf.while_loop(
            lambda index: index < number, put_row, [tf.constant(0)], parallel_iterations=1
        )[0].op

    def size(self) -> tf.Tensor:
        """How many elements are there, an int32 scalar."""
        return tf.raw_ops.StageSize(dtypes=self._dtypes, shared_name=self.name)

    def dataset(self) -> tf.data.Dataset:
        """What is there: elements (found, *components), from the first that is not found on zeros.

        Who reads from it has to see to it that only one does at a time.
        """

        def take(_: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return tf.cond(
                self.size() > 0, found, lambda: (tf.constant(False), *empty_value(list(self.specs)))
            )

        def found() -> tuple[tf.Tensor, ...]:
            parts = tf.raw_ops.Unstage(dtypes=self._dtypes, shared_name=self.name)
            shaped = [
                tf.ensure_shape(part, spec.shape)
                for part, spec in zip(parts, self.specs, strict=True)
            ]
            return (tf.constant(True), *shaped)

        return tf.data.Dataset.range(ENDLESS).map(_function(take))


@dataclasses.dataclass(frozen=True)
class AmongLeftovers(Stage):
    """All elements, and before each of them those that the program has put there by then."""

    leftovers: Leftovers

    def __str__(self) -> str:
        return "among what the program enqueues"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        def with_leftovers(*parts: tf.Tensor) -> tf.data.Dataset:
            put = self.leftovers.dataset().take_while(_function(lambda found, *_: found))
            put = put.map(_function(lambda _, *parts: _untupled(list(parts))))
            return put.concatenate(tf.data.Dataset.from_tensors(_untupled(list(parts))))

        return dataset.flat_map(_function(with_leftovers))


@dataclasses.dataclass(frozen=True)
class ThenLeftovers(Stage):
    """All elements, then those that another consumer has put back; can go on after its end."""

    leftovers: Leftovers

    def __str__(self) -> str:
        return "then what was put back"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        tagged = dataset.map(_function(lambda *parts: (tf.constant(True), *parts)))
        # A concatenated dataset is read by one reader at a time.
        every = tagged.concatenate(self.leftovers.dataset())

        def checked(found: tf.Tensor, *parts: tf.Tensor) -> Any:
            return _untupled(_if(found, list(parts), otherwise=tf.no_op))

        return map_until_end(every, checked)


@dataclasses.dataclass(frozen=True)
class Take(Stage):
    """Batches; one that is too short puts its elements back, and a smaller one can have them.

    Attributes:
      size: elements per batch, a number or where it is asked for.
      drop_remainder: whether a batch has to be full.
      leftovers: where elements are put back.
      is_shared: whether who delivers the elements also delivers what was put back.
      stacked: makes one batch of a dataset of at most so many elements.
    """

    size: int | AskedNumber
    drop_remainder: bool
    leftovers: Leftovers
    is_shared: bool = False
    stacked: Callable[[tf.data.Dataset, tf.Tensor], tf.data.Dataset] = tf.data.Dataset.batch

    def __str__(self) -> str:
        size = self.size if isinstance(self.size, int) else "as many as are asked for"
        return f"batch ({size}), what is too few is put back"

    def build(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        specs = self.leftovers.specs
        rows = [tf.TensorSpec([0, *spec.shape.as_list()], spec.dtype) for spec in specs]
        rows = tf.nest.pack_sequence_as(dataset.element_spec, rows)
        nothing = tf.data.Dataset.range(1).map(_function(lambda _: empty_value(rows)))

        def again(_: tf.Tensor) -> tf.data.Dataset:
            # One at a time, so that no element is held that nobody has asked for.
            elements = dataset if self.is_shared else self._put_back(dataset.element_spec)
            return self._batches(elements).concatenate(nothing).take(1)

        batches = tf.data.Dataset.range(ENDLESS).flat_map(_function(again))
        if not self.is_shared:
            batches = self._batches(dataset).concatenate(batches)
        return map_until_end(batches, self._check)

    def _put_back(self, structure: Any) -> tf.data.Dataset:
        elements = self.leftovers.dataset().take_while(_function(lambda found, *_: found))
        return elements.map(_function(lambda _, *parts: tf.nest.pack_sequence_as(structure, parts)))

    def _batches(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        if isinstance(self.size, int):
            return dataset.batch(self.size)
        asked = self.size
        # The key of a window is its size: a new number begins a new window.
        return dataset.group_by_window(
            _function(lambda *_: asked.value()),
            _function(lambda number, window: self.stacked(window, number)),
            window_size_func=_function(lambda number: number),
        )

    def _check(self, *rows: tf.Tensor) -> Any:
        number = tf.shape(rows[0], tf.int64)[0]
        size = self.size if isinstance(self.size, int) else self.size.value()
        enough = number >= size if self.drop_remainder else number > 0
        return _untupled(_if(enough, list(rows), lambda: self.leftovers.put(list(rows))))


def _if(
    condition: tf.Tensor, values: list[tf.Tensor], otherwise: Callable[[], tf.Operation]
) -> list[tf.Tensor]:
    """`values`, or the end of the stream after `otherwise`."""

    def end() -> list[tf.Tensor]:
        with tf.control_dependencies([otherwise()]):
            iterator = tf.raw_ops.AnonymousIteratorV3(
                output_types=[tf.int64], output_shapes=[tf.TensorShape([])]
            )
        nothing = tf.data.experimental.to_variant(tf.data.Dataset.range(0))
        with tf.control_dependencies([tf.raw_ops.MakeIterator(dataset=nothing, iterator=iterator)]):
            ended = tf.raw_ops.IteratorGetNext(
                iterator=iterator, output_types=[tf.int64], output_shapes=[tf.TensorShape([])]
            )
        with tf.control_dependencies(ended):
            return [tf.identity(value) for value in values]

    return tf.cond(condition, lambda: [tf.identity(value) for value in values], end)


def _untupled(parts: list[tf.Tensor]) -> Any:
    return parts[0] if len(parts) == 1 else tuple(parts)
