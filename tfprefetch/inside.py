"""What tf.data does not tell about its datasets: the one place that looks at private attributes.

tf.data has no public way from a dataset to the datasets it reads, to its arguments or to the
functions it runs. Here everything is looked up with care, so that a dataset of another version of
TensorFlow, or of somebody else's class, is described in less detail, but never fails.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

# Class (without `_`, `Dataset`, `V2`) → tf.data's public name, and the arguments worth telling.
_CLASSES: dict[str, tuple[str, tuple[str, ...]]] = {
    "AssertCardinality": ("assert_cardinality", ("expected_cardinality",)),
    "Batch": ("batch", ("batch_size", "drop_remainder")),
    "Cache": ("cache", ()),
    "Concatenate": ("concatenate", ()),
    "CopyToDevice": ("copy_to_device", ("target_device",)),
    "Filter": ("filter", ()),
    "FlatMap": ("flat_map", ()),
    "GroupByWindow": ("group_by_window", ()),
    "IgnoreErrors": ("ignore_errors", ()),
    "Interleave": ("interleave", ("cycle_length", "block_length")),
    "List": ("from_list", ()),
    "Load": ("load", ("path",)),
    "Map": ("map", ()),
    "MapAndBatch": ("map_and_batch", ("batch_size", "num_parallel_calls", "drop_remainder")),
    "Options": ("with_options", ()),
    "PaddedBatch": ("padded_batch", ("batch_size", "drop_remainder")),
    "ParallelBatch": ("batch", ("batch_size", "drop_remainder", "num_parallel_calls")),
    "ParallelInterleave": ("interleave", ("cycle_length", "block_length", "num_parallel_calls")),
    "ParallelMap": ("map", ("num_parallel_calls", "deterministic")),
    "Prefetch": ("prefetch", ("buffer_size",)),
    "Random": ("random", ()),
    "Range": ("range", ()),
    "Rebatch": ("rebatch", ("batch_sizes", "drop_remainder")),
    "Repeat": ("repeat", ("count",)),
    "Scan": ("scan", ()),
    "Shard": ("shard", ("num_shards", "index")),
    "Shuffle": ("shuffle", ("buffer_size",)),
    "Skip": ("skip", ("count",)),
    "Snapshot": ("snapshot", ("path",)),
    "SparseTensorSlice": ("from_sparse_tensor_slices", ()),
    "Take": ("take", ("count",)),
    "TakeWhile": ("take_while", ()),
    "Tensor": ("from_tensors", ()),
    "TensorSlice": ("from_tensor_slices", ()),
    "Unbatch": ("unbatch", ()),
    "Unique": ("unique", ()),
    "Window": ("window", ("size", "shift", "stride", "drop_remainder")),
    "Zip": ("zip", ()),
    "FixedLengthRecord": ("FixedLengthRecordDataset", ("record_bytes", "compression_type")),
    "TFRecord": ("TFRecordDataset", ("compression_type", "num_parallel_reads")),
    "TextLine": ("TextLineDataset", ("compression_type",)),
}
_AUTOTUNE_ARGUMENTS = {"buffer_size", "cycle_length", "num_parallel_calls", "num_parallel_reads"}
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
# What tf.data calls a lambda, a class such as TFRecordDataset, a function that is not written in
# Python, a partial one, and its own wrapper.
_NAMES_OF_NOTHING = {
    *("lambda", "ABCMeta", "classbuiltin_function_or_method", "partial", "key_func_wrapper"),
}


@dataclass(frozen=True)
class Inside:
    """What a dataset of tf.data is.

    Attributes:
        name: tf.data's public name, such as `map`; for an unknown class the class's name.
        arguments: what it was called with, such as `num_parallel_calls=AUTOTUNE`.
        inputs: the datasets that it reads.
        operations: the types of all operations in its functions, such as `DecodeRaw`.
    """

    name: str
    arguments: tuple[str, ...]
    inputs: tuple[tf.data.Dataset, ...]
    operations: tuple[str, ...]


def look_inside(dataset: tf.data.Dataset) -> Inside:
    """What `dataset` is; nothing is run.

    >>> look_inside(tf.data.Dataset.range(10).batch(3)).arguments
    ('batch_size=3',)
    """
    dataset = getattr(dataset, "_dataset", dataset)  # TensorFlow 1's datasets wrap the others
    class_name = type(dataset).__name__
    key = re.sub(r"(Dataset)?(V\d)?$", "", class_name.removeprefix("_"))
    name, argument_names = _CLASSES.get(key, (class_name, ()))
    inputs = _inputs(dataset)
    first_input = type(inputs[0]).__name__ if inputs else ""
    operations = _operations(dataset)
    arguments = [_argument(dataset, argument) for argument in argument_names]

    if key == "FlatMap" and "GeneratorDataset" in operations:
        name, inputs, operations = "from_generator", (), ()
    elif key == "DirectedInterleave":
        chosen = first_input == "_VariantDataset"  # tf.data's own version of choice_dataset
        name = "choose_from_datasets" if chosen else "sample_from_datasets"
        inputs = inputs[1:]
    elif key == "Zip" and len(inputs) == 2 and first_input == "_VariantDataset":
        name, inputs = "enumerate", inputs[1:]  # the first one is tf.data's own range
    elif key == "Concatenate":
        inputs = _all_concatenated(inputs)
    elif key in ("Unbatch", "Rebatch"):
        # In front of these, tf.data turns sparse and ragged tensors into variants.
        for internal in ("_RestructuredDataset", "_MapDataset"):
            if inputs and type(inputs[0]).__name__ == internal:
                inputs = _inputs(inputs[0])
    elif key == "Batch" and first_input == "_DenseToRaggedDataset":
        name, inputs = "ragged_batch", _inputs(inputs[0])
    elif key in ("TFRecord", "TextLine", "FixedLengthRecord"):
        names = getattr(dataset, "_filenames", None)
        if type(names).__name__ == "_TensorSliceDataset":
            arguments.insert(0, _count(names, "file"))
            inputs = ()
        elif names is not None:
            inputs = (names,)
    elif key == "Variant":
        name = "a dataset that was given to a function as an argument: its stages cannot be seen"
    elif key == "TensorSlice":
        arguments.append(_count(dataset, "element"))
    elif key == "Range":
        start, stop, step = (
            _value(getattr(dataset, part, "?")) for part in ("_start", "_stop", "_step")
        )
        arguments += (
            [str(stop)]
            if (start, step) == (0, 1)
            else [f"{start} to {stop}" + (f" by {step}" if step != 1 else "")]
        )
    elif key == "Repeat" and arguments == ["count=-1"]:
        arguments = ["for ever"]
    elif key == "Cache":
        filename = _value(getattr(dataset, "_filename", ""))
        arguments.append(f"filename={filename!r}" if filename else "in memory")
    elif key == "Options":
        arguments = _options(dataset, inputs)
    if key in ("Shuffle", "Random"):
        arguments.append("seeded" if _is_seeded(dataset) else "")
    arguments.insert(0, _function_name(dataset, name))
    return Inside(name, tuple(part for part in arguments if part), inputs, operations)


def _inputs(dataset: tf.data.Dataset) -> tuple[tf.data.Dataset, ...]:
    return tuple(dataset._inputs())


def _all_concatenated(inputs: tuple[tf.data.Dataset, ...]) -> tuple[tf.data.Dataset, ...]:
    """`a.concatenate(b).concatenate(c)` reads a, b and c."""
    tail: list[tf.data.Dataset] = []
    while True:
        first, *rest = inputs
        tail[:0] = rest
        inner = getattr(first, "_dataset", first)
        if type(inner).__name__ != "_ConcatenateDataset":
            return (first, *tail)
        inputs = _inputs(inner)


def _value(value: Any) -> Any:
    """A Python value; "?" for a tensor whose value only running the graph would tell."""
    if tf.is_tensor(value):
        value = tf.get_static_value(value)
        if value is None:
            return "?"
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _argument(dataset: tf.data.Dataset, name: str) -> str:
    """`name=value`; empty if there is nothing to tell."""
    value = _value(getattr(dataset, f"_{name}", getattr(dataset, f"_{name}_t", None)))
    if value is None or value is False or value in ("", "default"):
        return ""
    if (name, value) in (("block_length", 1), ("stride", 1)):
        return ""
    if name in _AUTOTUNE_ARGUMENTS and value == tf.data.AUTOTUNE:
        value = "AUTOTUNE"
    elif (name, value) == ("buffer_size", tf.data.UNKNOWN_CARDINALITY):
        value = "all"
    return f"{name.removesuffix('s') if name == 'batch_sizes' else name}={value}"


def _count(dataset: Any, noun: str) -> str:
    """`3 files`, from a dataset of tensor slices; empty if the number is not known."""
    tensors = getattr(dataset, "_tensors", None) or [None]
    shape = getattr(tensors[0], "shape", None)
    if shape is None or not shape.rank or shape[0] is None:
        return ""
    return f"{shape[0]} {noun}{'' if shape[0] == 1 else 's'}"


def _is_seeded(dataset: tf.data.Dataset) -> bool:
    seeds = (getattr(dataset, "_seed", 0), getattr(dataset, "_seed2", 0))
    return any(_value(seed) not in (0, None) for seed in seeds)


def _options(dataset: tf.data.Dataset, inputs: tuple[tf.data.Dataset, ...]) -> list[str]:
    """The options that matter to a reader and that `with_options` set here, not further up."""
    told: dict[str, list[str]] = {"before": [], "now": []}
    for when, holder in (("before", inputs[0] if inputs else None), ("now", dataset)):
        options = getattr(holder, "_options_attr", None) or tf.data.Options()
        for name, value in (
            ("deterministic", options.deterministic),
            ("autotune.enabled", options.autotune.enabled),
            ("threading.private_threadpool_size", options.threading.private_threadpool_size),
        ):
            if value is not None and value is not True:
                told[when].append(f"{name}={value}")
    return [option for option in told["now"] if option not in told["before"]]


def _functions(dataset: tf.data.Dataset) -> list[Any]:
    """The dataset's functions, traced."""
    return [getattr(wrapper, "function", None) for wrapper in dataset._functions()]


def _function_name(dataset: tf.data.Dataset, name: str) -> str:
    """The name of the user's function; empty if it has none."""
    for function in _functions(dataset)[:1]:
        traced = getattr(function, "name", b"")
        traced = traced.decode() if isinstance(traced, bytes) else str(traced)
        found = re.fullmatch(rf"__inference_Dataset_{name}_(.+)_\d+", traced)
        short = found[1].rpartition(".")[2] if found else ""
        return short if short not in _NAMES_OF_NOTHING else ""
    return ""


def _operations(dataset: tf.data.Dataset) -> tuple[str, ...]:
    """The types of the operations in the dataset's functions, and in the functions these call."""
    types: list[str] = []
    done = set()
    graphs = [getattr(function, "graph", None) for function in _functions(dataset)]
    while graphs:
        graph = graphs.pop(0)
        if graph is None or id(graph) in done:
            continue
        done.add(id(graph))
        for operation in graph.get_operations():
            called = [
                graph._get_function(operation.get_attr(attribute.name).name)
                for attribute in operation.op_def.attr
                if attribute.type == "func" and hasattr(graph, "_get_function")
            ]
            if operation.type not in _CALLS:
                types.append(operation.type)
            graphs += [getattr(function, "graph", None) for function in called]
    return tuple(types)
