"""One array in raw files: how many records there are, and the bytes of any of them.

    array = open_array(["a.bin", "b.bin"], tf.float32, [13])  # two parts of one array
    array.records  # how many there are in both
    array.read([(0, 100), (500, 100)])  # float32[200, 13], from two places

The sizes are looked at once, when the array is opened. Reading never maps a file into memory:
reading a mapped file that somebody cuts short kills the process, where here it is an error.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfprefetch.aligned import aligned_bytes
from tfprefetch.damage import DamagedFileError

_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclass(frozen=True)
class Part:
    """One file: `records` records from byte `begin` on, in a file of `size` bytes."""

    path: str
    size: int
    begin: int
    records: int


@dataclass(frozen=True)
class RawArray:
    """The records of some files, one file after another."""

    parts: tuple[Part, ...]
    dtype: tf.DType
    shape: tuple[int, ...]
    is_swapped: bool  # whether the bytes of a number stand in another order than in memory

    def __str__(self) -> str:
        paths = [part.path for part in self.parts]
        names = " + ".join(paths if len(paths) <= 4 else [*paths[:2], "...", paths[-1]])
        size = sum(part.size for part in self.parts)
        return (
            f"{names} has {self.records} records of {self.record_bytes} bytes "
            f"({spec_name(self.dtype, self.shape)}) in {size} bytes"
        )

    @property
    def record_bytes(self) -> int:
        """Bytes of one record."""
        return math.prod(self.shape) * _item_bytes(self.dtype)

    @property
    def records(self) -> int:
        """How many records all files have together."""
        return sum(part.records for part in self.parts)

    def read(self, runs: Iterable[tuple[int, int]]) -> np.ndarray:
        """The records of all `runs`, pairs of a first record and a count, as [records, *shape].

        Raises:
            DamagedFileError: a file cannot be read, or its size changed since it was opened.
        """
        runs = list(runs)
        size = sum(count for _, count in runs) * self.record_bytes
        buffer = aligned_bytes(size)
        pieces: list[list[tuple[int, memoryview]]] = [[] for _ in self.parts]
        done = 0
        for first, count in runs:
            for part, of_part in zip(self.parts, pieces, strict=True):
                here = min(count, part.records - first)
                if here > 0:
                    target = buffer[done : done + here * self.record_bytes]
                    of_part.append((part.begin + first * self.record_bytes, memoryview(target)))
                    done += target.size
                    count -= here
                first = max(first - part.records, 0)
        for part, of_part in zip(self.parts, pieces, strict=True):
            if of_part:
                _read_into(part, of_part)
        if self.is_swapped:
            # A complex number is two numbers.
            item_bytes = _item_bytes(self.dtype) // (2 if self.dtype.is_complex else 1)
            buffer.view(f"u{item_bytes}").byteswap(inplace=True)
        if self.dtype.is_bool:
            np.not_equal(buffer, 0, out=buffer.view(bool))  # a bool of another byte is undefined
        return buffer.view(self.dtype.as_numpy_dtype).reshape([-1, *self.shape])


def open_array(
    paths: Sequence[str],
    dtype: Any,
    shape: Sequence[int] | None,
    header_bytes: int = 0,
    footer_bytes: int = 0,
    little_endian: bool = True,
) -> RawArray:
    """The array in the files `paths`; dtype and shape are None where `.npy` files tell them.

    Raises:
        DamagedFileError: a size or a header does not fit.
        TypeError, ValueError: dtype or shape is missing or cannot be.
        tf.errors.NotFoundError, tf.errors.FailedPreconditionError: no file, a directory.
    """
    arrays = []
    for path in paths:
        size = _size(path)
        if path.lower().endswith(".npy"):
            if header_bytes or footer_bytes:
                raise ValueError(
                    f"header_bytes and footer_bytes must be 0 for {path}: the .npy format has its "
                    f"own header; got {header_bytes} and {footer_bytes}"
                )
            array = _open_npy(path, size, dtype, shape)
        else:
            array = _open_raw(path, size, dtype, shape, header_bytes, footer_bytes, little_endian)
        arrays.append(array)
        one, other = arrays[0], array
        if (one.dtype, one.shape, one.is_swapped) != (other.dtype, other.shape, other.is_swapped):
            raise DamagedFileError(
                f"files of one array must hold the same kind of records in the same byte order: "
                f"{one}, {other}"
            )
    parts = tuple(part for array in arrays for part in array.parts)
    return RawArray(parts, arrays[0].dtype, arrays[0].shape, arrays[0].is_swapped)


def spec_name(dtype: tf.DType, shape: Sequence[int]) -> str:
    """As in `float32[13]`."""
    return f"{dtype.name}[{', '.join(map(str, shape))}]"


def _open_raw(
    path: str,
    size: int,
    dtype: Any,
    shape: Sequence[int] | None,
    header_bytes: int,
    footer_bytes: int,
    little_endian: bool,
) -> RawArray:
    if dtype is None or shape is None:
        raise ValueError(
            f"dtype={dtype!r} and shape={shape!r}: {path} is no .npy file, so say what one record "
            "is, for instance dtype=tf.float32, shape=[13]"
        )
    # TensorFlow's types have no byte order, numpy's have.
    is_big = not little_endian or getattr(_numpy_type(dtype), "byteorder", "=") == ">"
    dtype = _as_dtype(dtype)
    array = RawArray((), dtype, tuple(shape), is_big != (sys.byteorder == "big"))
    if not array.record_bytes:
        raise ValueError(f"shape must not hold a 0, a record has to have bytes; got {list(shape)}")
    body = size - header_bytes - footer_bytes
    if size == 0 and header_bytes == 0:
        body = 0  # an empty file has no records
    around = f"header_bytes={header_bytes} and footer_bytes={footer_bytes}"
    if body < 0:
        raise DamagedFileError(f"{path} has {size} bytes, less than {around} together")
    if body % array.record_bytes:
        around = f", {body} without {around}" if header_bytes or footer_bytes else ""
        raise DamagedFileError(
            f"{path} ends inside a record: it has {size} bytes{around}; a record "
            f"({spec_name(dtype, shape)}) has {array.record_bytes} bytes, so there are "
            f"{body // array.record_bytes} records and {body % array.record_bytes} bytes left over"
        )
    part = Part(path, size, header_bytes, body // array.record_bytes)
    return RawArray((part,), dtype, array.shape, array.is_swapped)


def _open_npy(path: str, size: int, dtype: Any, shape: Sequence[int] | None) -> RawArray:
    with tf.io.gfile.GFile(path, "rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            if version not in _NPY_HEADERS:
                raise DamagedFileError(
                    f"version {version[0]}.{version[1]} of the format; only 1.0 and 2.0 are read"
                )
            whole_shape, is_fortran, found = _NPY_HEADERS[version](file)
        except ValueError as error:
            raise DamagedFileError(f"{path} is no .npy file that can be read: {error}") from error
        begin = file.tell()
    if not whole_shape:
        raise DamagedFileError(f"{path} holds a single number: an array of records needs an axis")
    if is_fortran and len(whole_shape) > 1:
        raise DamagedFileError(
            f"{path} is in Fortran order, its records are not in one piece: save it anew with "
            "np.save(path, np.ascontiguousarray(array))"
        )
    swapped = found.byteorder not in "=|" and not found.isnative
    if found.kind == "V" and dtype is not None and _item_bytes(_as_dtype(dtype)) == found.itemsize:
        found_dtype = _as_dtype(dtype)  # numpy saves bfloat16 and the like as plain bytes
    else:
        try:
            found_dtype = _as_dtype(found.newbyteorder("="))
        except TypeError as error:
            raise DamagedFileError(f"{path} holds {found}, which no tensor can: {error}") from error
    record = tuple(whole_shape[1:])
    if dtype is not None and _as_dtype(dtype) != found_dtype:
        raise DamagedFileError(
            f"dtype={_as_dtype(dtype).name}, but {path} holds {found_dtype.name} "
            "(dtype=None takes the file's)"
        )
    if shape is not None and tuple(shape) != record:
        raise DamagedFileError(
            f"shape={list(shape)}, but the records of {path} have shape {list(record)} "
            "(shape=None takes the file's)"
        )
    array = RawArray((), found_dtype, record, swapped)
    expected = begin + whole_shape[0] * array.record_bytes
    if not array.record_bytes or size != expected:
        raise DamagedFileError(
            f"{path} has {size} bytes, but its header tells of {whole_shape[0]} records "
            f"of {array.record_bytes} bytes ({spec_name(found_dtype, record)}), {expected} in all"
        )
    return RawArray((Part(path, size, begin, whole_shape[0]),), found_dtype, record, swapped)


def _as_dtype(dtype: Any) -> tf.DType:
    try:
        found = tf.as_dtype(_numpy_type(dtype, in_order=True))
        numpy_dtype = np.dtype(found.as_numpy_dtype)
    except TypeError as error:
        raise TypeError(
            f"dtype must be a type of numbers or bool, for instance tf.float32, got {dtype!r}"
        ) from error
    # float8 and int4 have a size, too, but datasets cannot hold them.
    is_usual = numpy_dtype.isbuiltin == 1 and numpy_dtype.kind in "biufc"
    if not is_usual and found != tf.bfloat16:
        raise TypeError(
            "dtype must be a type of numbers or bool, for instance tf.float32; datasets of files "
            f"cannot hold {dtype!r}"
        )
    return found


def _numpy_type(dtype: Any, in_order: bool = False) -> Any:
    """Makes types of numpy's names like ">f4", and gives them this machine's byte order."""
    if isinstance(dtype, str) and dtype[:1] in ("<", ">", "=", "|"):
        dtype = np.dtype(dtype)
    return dtype.newbyteorder("=") if in_order and isinstance(dtype, np.dtype) else dtype


def _item_bytes(dtype: tf.DType) -> int:
    return np.dtype(dtype.as_numpy_dtype).itemsize


def _size(path: str) -> int:
    found = tf.io.gfile.stat(path)  # raises NotFoundError, which names the file
    if found.is_directory:
        raise tf.errors.FailedPreconditionError(None, None, f"{path} is a directory, not a file")
    return int(found.length)


def _read_into(part: Part, pieces: list[tuple[int, memoryview]]) -> None:
    """Fills memory with the file's bytes from some positions on."""
    is_complete = True
    try:
        if "://" in part.path:  # on a remote file system, which only TensorFlow knows
            with tf.io.gfile.GFile(part.path, "rb") as file:
                size = file.size()
                for begin, target in pieces:
                    file.seek(begin)
                    data = file.read(len(target))
                    target[: len(data)] = data
                    is_complete &= len(data) == len(target)
        else:
            with open(part.path, "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                for begin, target in pieces:
                    file.seek(begin)
                    # The system reads at most some two gigabytes at a time.
                    while len(target) and (read := file.readinto(target)):
                        target = target[read:]
                    is_complete &= not len(target)
    except (OSError, tf.errors.OpError) as error:
        raise DamagedFileError(f"{part.path} cannot be read any more: {error}") from error
    if size != part.size or not is_complete:
        raise DamagedFileError(
            f"{part.path} changed while it was read: it had {part.size} bytes when the dataset was "
            f"made, and has {size} now"
        )
