"""Notes on datasets: what a stage of this library is, for `describe` to say.

    return add_note(dataset, Note("from_files: tfrecord, 3 files"))

A note is an attribute of the dataset object: tf.data does not know of it, and no stage behind the
dataset carries it on.
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

_ATTRIBUTE = "_tfprefetch_note"


@dataclass(frozen=True)
class Note:
    """What a stage is.

    Attributes:
        text: one line, in the words of the call: `from_files: tfrecord, 3 files, num_epochs=2`.
        details: further lines, such as `on whole batches: ParseSingleExample, Mul`.
        inputs: the datasets that the stage reads; `()` for a source.
        blocks: a dataset of the same elements in the same order, many at a time: every component
            has one more dimension in front, of unknown size, for some blocks 0. None where there
            is no such dataset.
    """

    text: str
    details: tuple[str, ...] = ()
    inputs: tuple[tf.data.Dataset, ...] = ()
    blocks: tf.data.Dataset | None = None


def add_note(dataset: tf.data.Dataset, note: Note) -> tf.data.Dataset:
    """Attaches `note` to `dataset`, and returns that dataset."""
    setattr(dataset, _ATTRIBUTE, note)
    return dataset


def note_of(dataset: tf.data.Dataset) -> Note | None:
    """The note on `dataset`; None for one that has none."""
    # TF1's datasets wrap what `apply` returns, and TensorFlow has no public way to what is inside.
    wrapped = getattr(dataset, "_dataset", None)
    return getattr(dataset, _ATTRIBUTE, getattr(wrapped, _ATTRIBUTE, None))
