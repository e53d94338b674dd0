"""What a pipeline consists of, as text: `describe`.

    print(tfprefetch.describe(dataset))

    TFRecordDataset: 16 files                        string[]
    map: parse_example, num_parallel_calls=AUTOTUNE  (float32[10], int64[])
      example by example: ParseExampleV2, Mul
      tfprefetch.map_and_batch runs it on whole batches where that gives the same result
    batch: batch_size=128                            (float32[?, 10], int64[?])

Stages of this library carry a note (see `notes`); what tf.data's own are, `inside` finds out.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import reprlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tfprefetch.inside import Inside, look_inside
from tfprefetch.notes import note_of
from tfprefetch.specs import spec_text

_BATCHES = {"batch", "padded_batch", "ragged_batch", "rebatch", "map_and_batch", "from_raw"}
_EXAMPLES = {
    *("from_tensor_slices", "range", "random", "list_files", "unbatch"),
    *("TFRecordDataset", "TextLineDataset", "FixedLengthRecordDataset"),
}
_SAME_ELEMENTS = {  # a batch stays a batch, an example an example
    *("map", "filter", "take_while", "scan", "enumerate", "unique", "ignore_errors", "snapshot"),
    *("shuffle", "repeat", "take", "skip", "shard", "cache", "prefetch", "with_options"),
    *("concatenate", "choose_from_datasets", "sample_from_datasets", "zip"),
    *("assert_cardinality", "copy_to_device", "context_windows"),
}
_BETWEEN_MAP_AND_BATCH = {"map", "shuffle", "prefetch", "with_options"}
_PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
_READERS = {"TFRecordDataset", "TFRecordDatasetV2", "TextLineDataset", "FixedLengthRecordDatasetV2"}
_PLUMBING = {"Placeholder", "Const", "Identity", "IdentityN", "NoOp"}
_MOST_OPERATIONS = 6
_AGAIN = "what it reads stands above, and runs once more"
_ADVICE = "tfprefetch.map_and_batch runs it on whole batches where that gives the same result"


def describe(dataset: tf.data.Dataset) -> str:
    """Says what the stages of a pipeline are, and whether they run on whole batches.

    The source comes first, the given stage last; behind each stage stands what its elements are
    (`float32[?, 128]`: the first dimension is not known). What a stage of several datasets reads,
    such as `zip`, is listed above it, one `-` for each. Nothing is read, run or changed.

    Args:
        dataset: any dataset, made under eager execution or in a graph. Of an argument whose value
            is known only when the graph runs, the text says `?`.

    Returns:
        The text, without a line break at its end.

    Raises:
        TypeError: for what is no `tf.data.Dataset`.

    >>> dataset = tf.data.Dataset.range(1000).shuffle(100).map(lambda x: x / 1000).batch(32)
    >>> print(describe(dataset))
    range: 1000                int64[]
    shuffle: buffer_size=100   int64[]
    map                        float64[]
      example by example: Cast, RealDiv
      tfprefetch.map_and_batch runs it on whole batches where that gives the same result
    batch: batch_size=32       float64[?]
    """
    if not isinstance(dataset, tf.data.Dataset):
        raise TypeError(f"describe needs a tf.data.Dataset, got {_refused(dataset)}")
    lines, _ = _lines(dataset, set())
    width = max(len(text) for text, spec in lines if spec)
    return "\n".join(f"{text:{width}}  {spec}" if spec else text for text, spec in lines)


def _refused(value: Any) -> str:
    """What was given instead of a dataset, and what to do about it."""
    advice = ""
    if isinstance(value, list | tuple | dict):
        advice = ": describe one dataset at a time"
    elif hasattr(value, "fit"):
        advice = ": describe the dataset that is given to fit"
    elif hasattr(value, "__next__") or hasattr(value, "get_next"):
        advice = ": an iterator does not know its stages, describe the dataset it iterates over"
    elif callable(value):
        advice = ": if it is a function for dataset.apply, describe dataset.apply(function)"
    return f"{reprlib.repr(value)} ({type(value).__name__}){advice}"


@dataclasses.dataclass(frozen=True)
class _Stage:
    """One dataset of the pipeline.

    Attributes:
        name: what to call it, such as `map`.
        text: its line, without the spec.
        details: further lines.
        inputs: the datasets it reads.
        spec: what its elements are, as text.
        are_examples: whether its elements are surely no batches.
        inside: more about it; None for a stage that has a note.
    """

    name: str
    text: str
    details: tuple[str, ...]
    inputs: tuple[tf.data.Dataset, ...]
    spec: str
    are_examples: bool
    inside: Inside | None = None


def _stage(dataset: tf.data.Dataset) -> _Stage:
    spec = spec_text(dataset.element_spec)
    note = note_of(dataset)
    if note is not None:
        name = re.match(r"\w*", note.text)[0]
        examples = note.blocks is not None
        return _Stage(name, note.text, note.details, note.inputs, spec, examples)
    inside = look_inside(dataset)
    text = ": ".join(part for part in (inside.name, ", ".join(inside.arguments)) if part)
    examples = inside.name in _EXAMPLES
    return _Stage(inside.name, text, (), inside.inputs, spec, examples, inside)


def _lines(dataset: tf.data.Dataset, shown: set[int]) -> tuple[list[tuple[str, str]], bool | None]:
    """Lines (text, spec) from the sources to `dataset`; and whether its elements are batches.

    Args:
        dataset: the last stage.
        shown: the ids of the datasets that the text has already.
    """
    stages: list[_Stage] = []
    lines: list[tuple[str, str]] = []
    are_batches: list[bool | None] = []
    inputs: tuple[tf.data.Dataset, ...] = (dataset,)
    while len(inputs) == 1:
        stage = _stage(inputs[0])
        if id(inputs[0]) in shown and stage.inputs:
            # Also keeps a text short whose datasets were zipped with themselves again and again.
            stage = dataclasses.replace(stage, inputs=(), details=(*stage.details, _AGAIN))
            are_batches.append(None)
        shown.add(id(inputs[0]))
        inputs = stage.inputs
        if stage.text != "with_options" or stage.details:  # else it sets none that matters
            stages.append(stage)
    for branch in inputs:
        branch_lines, is_batch = _lines(branch, shown)
        are_batches.append(is_batch)
        marks = ["- "] + ["  "] * (len(branch_lines) - 1)
        lines += [
            (mark + text, spec) for mark, (text, spec) in zip(marks, branch_lines, strict=True)
        ]
    is_batch = are_batches[0] if len(set(are_batches)) == 1 else None
    stages.reverse()
    for position, stage in enumerate(stages):
        lines.append((stage.text, stage.spec))
        following = [later.name for later in stages[position + 1 :]]
        lines += [("  " + detail, "") for detail in _details(stage, is_batch, following)]
        if stage.name in _BATCHES:
            is_batch = True
        elif stage.are_examples:
            is_batch = False
        elif stage.name not in _SAME_ELEMENTS:
            is_batch = None
    return lines, is_batch


def _details(stage: _Stage, is_batch: bool | None, following: list[str]) -> Iterator[str]:
    """What there is to say about a stage.

    Args:
        stage: the stage.
        is_batch: whether what comes in are batches; None if that cannot be seen.
        following: the names of the stages behind it.
    """
    yield from stage.details
    if stage.inside is None:
        return
    operations = stage.inside.operations
    python = not _PYTHON.isdisjoint(operations)
    if stage.name == "map":
        yield from _map_details(operations, is_batch, following)
    if stage.name == "from_generator":
        yield "a Python generator: one element at a time"
    elif python:
        yield "calls Python functions, which run one at a time"
    if stage.name in ("interleave", "flat_map"):
        readers = sorted({type_.removesuffix("V2") for type_ in operations if type_ in _READERS})
        if readers:
            yield f"each element becomes a dataset: {', '.join(readers)}"


def _map_details(
    operations: tuple[str, ...], is_batch: bool | None, following: list[str]
) -> Iterator[str]:
    names = list(dict.fromkeys(type_ for type_ in operations if type_ not in _PLUMBING))
    if len(names) > _MOST_OPERATIONS:
        names[_MOST_OPERATIONS:] = ["..."]
    what = f": {', '.join(names)}" if names else ""
    between = list(itertools.takewhile(_BETWEEN_MAP_AND_BATCH.__contains__, following))
    consumer = following[len(between)] if len(between) < len(following) else ""
    if is_batch:
        yield f"on whole batches{what}"
    elif is_batch is False or consumer in _BATCHES:
        yield f"example by example{what}"
        # Of several maps the last one says it; Python functions run one at a time anyway.
        if consumer == "batch" and "map" not in between and _PYTHON.isdisjoint(operations):
            yield _ADVICE
    elif names:
        yield f"runs {', '.join(names)}"
