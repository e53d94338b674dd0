"""Files to records: `from_files`.

dataset = tfprefetch.from_files("train-*.tfrecord", shuffle=True, num_epochs=None)
dataset = tfprefetch.from_files(["a.txt", "b.txt"], "text", with_keys=True)  # (b"a.txt:1", line)
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfprefetch.notes import Note, add_note
from tfprefetch.readers import KINDS, Reading

_CYCLE_LENGTH = 8  # fixed, not AUTOTUNE: a seeded order must not depend on the machine
_WILDCARDS = frozenset("*?[")

Files = str | os.PathLike | Sequence[str | os.PathLike] | tf.Tensor | tf.data.Dataset


def from_files(
    files: Files,
    reader: str | Callable[[tf.Tensor], tf.data.Dataset] = "tfrecord",
    *,
    num_epochs: int | None = 1,
    shuffle: bool = False,
    seed: int | None = None,
    num_shards: int = 1,
    index: int = 0,
    with_keys: bool = False,
    record_bytes: int | None = None,
    header_bytes: int = 0,
    footer_bytes: int = 0,
    hop_bytes: int = 0,
    ignore_ragged_tail: bool = False,
    skip_header_lines: int = 0,
    compression_type: str | None = None,
    cycle_length: int | None = None,
    block_length: int | None = None,
    num_parallel_calls: int | None = tf.data.AUTOTUNE,
    deterministic: bool | None = None,
    buffer_size: int | None = None,
    name: str | None = None,
) -> tf.data.Dataset:
    """A dataset of the records in `files`: scalar strings, or (key, record) with `with_keys`.

    Every file is read completely, or an error names it; a damaged file first delivers the records
    in front of the damage. An empty file has no records.

    Args:
        files: a file name or a list of them, where a name with `*`, `?` or `[` that is no file
            itself stands for all files that match, sorted; or a string tensor (scalar or 1-D, in a
            graph perhaps known only later); or a dataset of file names, whose own order and
            repetition stay.
        reader: `"tfrecord"`; `"text"` (lines, without their line ends); `"fixed"` (records of
            `record_bytes` bytes); `"whole"` (each file is one record); or a function from a file
            name (scalar string tensor) to a dataset of that file's elements, of any structure.
        num_epochs: how often the files are read; None is for ever. Epochs do not overlap.
        shuffle: whether the files come in a new order in every epoch. Records are not shuffled
            (see `map_and_batch(shuffle_buffer_size=...)`).
        seed: makes the order of the files repeatable.
        num_shards: with `index`, read only every `num_shards`-th file, beginning with file number
            `index`, before shuffling: shards never overlap.
        index: the shard to read, 0 <= index < num_shards.
        with_keys: whether elements are (key, record). The key is a scalar string, as TensorFlow
            1's readers gave it: "path" (whole), "path:line" (text, counted from 1, header lines
            included), "path:record" (fixed, counted from 0), "path:offset" (tfrecord, in bytes,
            after decompression); with a function as the reader, "path:element", counted from 0.
        record_bytes: fixed only: bytes per record, without it ValueError.
        header_bytes: fixed only: bytes at the beginning of each file that are no record.
        footer_bytes: fixed only: bytes at the end of each file that are no record.
        hop_bytes: fixed only: bytes from the beginning of one record to that of the next; with less
            than `record_bytes` they overlap, with more there are gaps. 0: one follows the other.
        ignore_ragged_tail: fixed only: leave out a last record that is incomplete, as TensorFlow 1
            did, instead of raising InvalidArgumentError.
        skip_header_lines: text only: lines to leave out at the beginning of each file.
        compression_type: None (or ""), "GZIP" or "ZLIB". Compressed files, except GZIP TFRecord
            files, are decompressed twice, once to make sure that they are complete.
        cycle_length: how many files are read in turns. By default 1, strictly one file after
            another (the next ones are read ahead), and 8 where the order is free: with
            `shuffle=True` or `deterministic=False`.
        block_length: how many records of a file follow each other before the next file's turn. By
            default as many as are read at a time, at most 1024 (text: 256) or a mebibyte of them.
        num_parallel_calls: files read in parallel, as in `Dataset.interleave`; None for one.
        deterministic: as in `Dataset.interleave`; False lets files overtake each other.
        buffer_size: bytes of the read buffer of each file; None for TensorFlow's own choice.
        name: a name for the dataset's last operation.

    Raises:
        ValueError: at once, for an argument that cannot be, a pattern that matches nothing, an
            empty list.
        TypeError: at once, for `files` or `reader` of another type.
        tf.errors.NotFoundError: while reading, for a file that does not exist.
        tf.errors.InvalidArgumentError: while reading, for a file that is damaged, or (fixed) whose
            size does not fit; names the file and the position in bytes.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "lines.txt")
    >>> with open(path, "w") as file:
    ...     _ = file.write("one\\ntwo\\n")
    >>> list(from_files(path, "text", num_epochs=2).as_numpy_iterator())
    [b'one', b'two', b'one', b'two']
    """
    arguments = dict(locals())  # all of them, for the note
    if not callable(reader) and not isinstance(reader, str):
        raise TypeError(f"reader must be one of {KINDS} or a function, got {reader!r}")
    _check_counts(num_epochs, num_shards, index, cycle_length, block_length)
    reading = Reading(
        kind="tfrecord" if callable(reader) else reader,
        with_keys=with_keys,
        record_bytes=record_bytes,
        header_bytes=header_bytes,
        footer_bytes=footer_bytes,
        hop_bytes=hop_bytes,
        ignore_ragged_tail=ignore_ragged_tail,
        skip_header_lines=skip_header_lines,
        compression_type=compression_type,
        buffer_size=buffer_size,
    )
    if callable(reader) and (reading.compression or buffer_size is not None):
        raise ValueError("compression_type and buffer_size have no effect on a reader function")

    names, text = _names(files)
    if num_shards > 1:
        names = names.shard(num_shards, index)
    if shuffle:
        # All names at once, however many there are (also where that is not known).
        names = names.shuffle(tf.data.UNKNOWN_CARDINALITY, seed=seed)

    blocks = None
    plain = tf.autograph.experimental.do_not_convert  # our own code needs no conversion
    if reader == "whole":
        dataset = names.map(plain(reading.whole), num_parallel_calls, deterministic)
    else:
        order_is_free = shuffle or deterministic is False

        def interleave(elements_of: Callable[[tf.Tensor], tf.data.Dataset]) -> tf.data.Dataset:
            return names.interleave(
                elements_of,
                cycle_length=cycle_length or (_CYCLE_LENGTH if order_is_free else 1),
                block_length=block_length or 1,
                num_parallel_calls=num_parallel_calls,
                deterministic=deterministic if num_parallel_calls else None,
            )

        if callable(reader):
            dataset = interleave(_elements_of(reader, with_keys))
        elif block_length:
            dataset = interleave(plain(lambda path: reading.blocks(path).unbatch()))
        else:
            blocks = interleave(plain(reading.blocks))
            dataset = blocks.unbatch()
    # Repeat last: epochs stay apart, and reading only empty files for ever ends instead of hanging.
    dataset = dataset.repeat(num_epochs, name=name)
    note = Note(
        _note_text(arguments, text),
        (_note_detail(reader, block_length),),
        inputs=(files,) if isinstance(files, tf.data.Dataset) else (),
        blocks=blocks.repeat(num_epochs) if blocks is not None else None,
    )
    return add_note(dataset, note)


def _note_text(arguments: dict[str, Any], files_text: str) -> str:
    """One line for `describe`: the reader, the files, and what differs from the defaults."""
    reader = arguments["reader"]
    kind = f"function {getattr(reader, '__name__', reader)}" if callable(reader) else reader
    parts = [kind, files_text, *(["shuffled"] if arguments["shuffle"] else [])]
    for option, parameter in inspect.signature(from_files).parameters.items():
        value = arguments[option]
        if option in ("files", "reader", "shuffle"):
            continue
        if tf.is_tensor(value) or value not in (parameter.default, ""):
            is_endless = option == "num_epochs" and value is None
            parts.append(f"{option}={value}{' (for ever)' if is_endless else ''}")
    return f"from_files: {', '.join(parts)}"


def _note_detail(reader: str | Callable[..., Any], block_length: int | None) -> str:
    if callable(reader):
        return "element by element, as the function's datasets deliver them"
    if reader == "whole":
        return "file by file"
    return "record by record (block_length)" if block_length else "reads many records at a time"


def _check_counts(
    num_epochs: int | None,
    num_shards: int,
    index: int,
    cycle_length: int | None,
    block_length: int | None,
) -> None:
    if num_epochs is not None and num_epochs < 1:
        raise ValueError(f"num_epochs must be at least 1, or None for ever, got {num_epochs}")
    if num_shards < 1:
        raise ValueError(f"num_shards must be at least 1, got {num_shards}")
    if not 0 <= index < num_shards:
        raise ValueError(
            f"index must be at least 0 and less than num_shards={num_shards}, got {index}"
        )
    for option, value in (("cycle_length", cycle_length), ("block_length", block_length)):
        if value is not None and value < 1:
            raise ValueError(f"{option} must be at least 1, got {value}")


def _elements_of(
    reader: Callable[[tf.Tensor], tf.data.Dataset], with_keys: bool
) -> Callable[[tf.Tensor], tf.data.Dataset]:
    def elements_of(path: tf.Tensor) -> tf.data.Dataset:
        elements = reader(path)
        if not isinstance(elements, tf.data.Dataset):
            raise TypeError(f"reader must return a tf.data.Dataset, {reader!r} gave {elements!r}")
        if not with_keys:
            return elements
        numbered = tf.data.Dataset.zip((tf.data.Dataset.range(tf.int64.max), elements))
        return numbered.map(
            lambda number, *element: (
                tf.strings.join([path, tf.strings.as_string(number)], ":"),
                element[0] if len(element) == 1 else element,
            )
        )

    return elements_of


def _names(files: Files) -> tuple[tf.data.Dataset, str]:
    """The file names, as a dataset of scalar strings; and a text that says how many they are."""
    if isinstance(files, tf.data.Dataset):
        spec = files.element_spec
        if not isinstance(spec, tf.TensorSpec) or spec.dtype != tf.string or spec.shape.rank:
            raise TypeError(
                f"files as a dataset must have scalar strings as its elements, got {spec}"
            )
        return files, "files of a dataset"
    if not tf.is_tensor(files):
        files = _expand(files)
    elif files.dtype != tf.string or (files.shape.rank or 0) > 1:
        raise TypeError(f"files as a tensor must be strings, scalar or 1-D, got {files}")
    names = tf.reshape(files, [-1])
    if names.shape[0] == 0:
        raise ValueError("files is empty: name at least one file")
    if names.shape[0] is None:
        some = tf.debugging.Assert(tf.size(names) > 0, ["files is empty: name at least one file"])
        with tf.control_dependencies([some]):
            names = tf.identity(names)
    count = names.shape[0]
    text = "a tensor of names" if count is None else f"{count} file{'' if count == 1 else 's'}"
    return tf.data.Dataset.from_tensor_slices(names), text


def _expand(files: Any) -> list[str]:
    """Python strings to file names: patterns become the sorted names of the files that match."""
    if isinstance(files, str | bytes | os.PathLike):
        files = [files]
    names = []
    for file in files:
        if not isinstance(file, str | bytes | os.PathLike):
            raise TypeError(f"files must be file names (or a tensor or dataset), got {file!r}")
        file = os.fsdecode(file)
        if not _WILDCARDS.intersection(file) or tf.io.gfile.exists(file):
            names.append(file)
            continue
        matches = sorted(tf.io.gfile.glob(file))
        if not matches:
            raise ValueError(f"files: the pattern {file!r} matches no file")
        # TensorFlow answers "*.txt" with "./a.txt"; the keys should not show that.
        here = "./" if not file.startswith("./") else ""
        names.extend(match.removeprefix(here) for match in matches)
    if not names:
        raise ValueError("files is empty: name at least one file")
    return names
