"""Raw binary files and `.npy` files to batches: `from_raw`.

files = {"features": "features.bin", "labels": "labels.bin"}
dtype = {"features": tf.float32, "labels": tf.uint8}
shape = {"features": [13], "labels": []}
dataset = tfprefetch.from_raw(files, dtype, shape, batch_size=128, shuffle=True)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfprefetch.damage import DamagedFileError
from tfprefetch.raw_array import open_array
from tfprefetch.raw_pools import POSITION_BYTES, Pools

_POOL_BYTES = 4 << 20

File = str | os.PathLike | list[str | os.PathLike]


def from_raw(
    files: File | tuple | dict,
    dtype: Any,
    shape: Any,
    batch_size: int,
    *,
    num_epochs: int | None = 1,
    shuffle: bool = False,
    seed: int | None = None,
    drop_remainder: bool = False,
    num_shards: int = 1,
    index: int = 0,
    header_bytes: int | tuple | dict = 0,
    footer_bytes: int | tuple | dict = 0,
    little_endian: bool = True,
    shuffle_buffer_bytes: int = 128 << 20,
    name: str | None = None,
) -> tf.data.Dataset:
    """A dataset of batches of the records in raw binary files, or `.npy` files, read in blocks.

    Sizes (and headers of `.npy` files) are checked at once. When a file has another size by the
    time it is read, that is an error; no record is ever made of other bytes than its own.

    Memory: at most four pools (one that is delivered, those read ahead), where a pool is 4 MiB, or
    `shuffle_buffer_bytes` with `shuffle`, or one batch if that is more; and some batches, which
    are read ahead. Files are never read whole because of their size, and never mapped.

    Shuffling: data that fits into `shuffle_buffer_bytes`, at 8 bytes more per record, is shuffled
    as a whole: every order is equally likely. Of larger data a pool takes blocks of neighbours
    (pools have 128 of them, so 1 MiB by default) from random places, and its records are mixed
    completely: every epoch has other blocks in a pool, but records of one block stay within one
    pool, at most two. Where neighbours in the file are alike (sorted by class, frames of a film),
    a batch can hold no more kinds of them than there are blocks in a pool.

    Args:
        files: a file name; or a list of names, whose records follow each other as one array; or a
            dict or tuple of those, the components: files with equal numbers of records (in all,
            lists may be divided differently). Names end in ".npy" where the file is one.
        dtype: the type of the numbers, anything that `tf.as_dtype` takes and that has a fixed size;
            one for all, or a dict or tuple like `files`. None for `.npy` files: as the file says.
        shape: the shape of one record, for instance [28, 28], or [] for a number; one for all, or
            a dict or tuple like `files`. None for `.npy` files: as the file says.
        batch_size: records per batch, at least 1.
        num_epochs: how often the files are read; None is for ever. Epochs do not overlap: the last
            batch of each is smaller if `batch_size` does not divide the records.
        shuffle: whether the records come in a new order in every epoch, and each time that the
            dataset is iterated over.
        seed: makes the orders repeatable (with the same version of NumPy).
        drop_remainder: whether to leave out a last batch that is smaller, in every epoch.
        num_shards: with `index`, read only part number `index` of `num_shards` parts of equal
            size (to one record) of the records, each of neighbours, before shuffling.
        index: the shard to read, 0 <= index < num_shards.
        header_bytes: bytes at the beginning of each file that are no record; one for all, or a
            dict or tuple like `files`. Headers of `.npy` files do not count.
        footer_bytes: bytes at the end of each file that are no record, likewise.
        little_endian: False: the numbers in raw files are big-endian; a dtype like ">f4" says so
            for one component. `.npy` files say themselves what they are.
        shuffle_buffer_bytes: how much is mixed at a time, see above; 128 MiB by default.
        name: a name for the dataset's last operation.

    Returns:
        A dataset of tensors in the structure of `files`, each [batch, *shape] (`batch` is static
        with `drop_remainder`). Files without a record make an empty dataset, for ever or not. The
        cardinality is known, also of infinity.

    Raises:
        TypeError, ValueError: at once, for an argument that cannot be, and (ValueError) for a file
            that ends inside a record, files of different numbers of records, an `.npy` file that
            is damaged, or not what `dtype` and `shape` say, or in Fortran order.
        tf.errors.NotFoundError: at once, for a file that does not exist.
        tf.errors.FailedPreconditionError: at once, for a directory.
        tf.errors.InvalidArgumentError: while reading, for a file whose size has changed, or that
            cannot be read any more; names the file.

    >>> import os, tempfile
    >>> import numpy as np
    >>> path = os.path.join(tempfile.mkdtemp(), "numbers.bin")
    >>> np.arange(10, dtype=np.float32).tofile(path)
    >>> [batch.tolist() for batch in from_raw(path, tf.float32, [2], 3).as_numpy_iterator()]
    [[[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], [[6.0, 7.0], [8.0, 9.0]]]
    """
    for option, value in (
        ("batch_size", batch_size),
        ("num_epochs", 1 if num_epochs is None else num_epochs),
        ("num_shards", num_shards),
        ("shuffle_buffer_bytes", shuffle_buffer_bytes),
    ):
        if not _is_integer(value):
            raise TypeError(f"{option} must be an integer, got {value!r}")
        if value < 1:
            never = ", or None for ever" if option == "num_epochs" else ""
            raise ValueError(f"{option} must be at least 1{never}, got {value}")
    if not _is_integer(index) or not 0 <= index < num_shards:
        raise ValueError(
            f"index must be at least 0 and less than num_shards={num_shards}, got {index!r}"
        )
    structure = _structure(files)
    arrays = [
        open_array(one.names, *options, little_endian)
        for one, *options in zip(
            tf.nest.flatten(structure),
            _like(structure, "dtype", dtype, _is_dtype, "a type like tf.float32"),
            _like(structure, "shape", shape, _is_shape, "the shape of one record, like [28, 28]"),
            _like(structure, "header_bytes", header_bytes, _is_size, "a number of bytes"),
            _like(structure, "footer_bytes", footer_bytes, _is_size, "a number of bytes"),
            strict=True,
        )
    ]
    if len({array.records for array in arrays}) > 1:
        raise DamagedFileError(
            "files must have equal numbers of records: " + "; ".join(map(str, arrays))
        )
    records = arrays[0].records
    begin = records * index // num_shards
    count = records * (index + 1) // num_shards - begin
    record_bytes = sum(array.record_bytes for array in arrays)
    if shuffle:
        most = shuffle_buffer_bytes // (record_bytes + POSITION_BYTES)
    else:
        most = _POOL_BYTES // record_bytes
    pools = Pools(
        arrays=arrays,
        structure=structure,
        begin=begin,
        records=count,
        batch_size=int(batch_size),
        delivered=count // batch_size * batch_size if drop_remainder else count,
        drop_remainder=drop_remainder,
        shuffle=shuffle,
        pool_records=max(most // batch_size, 1) * int(batch_size),
    )
    return pools.dataset(num_epochs, seed, name)


@dataclass(frozen=True)
class _Names:
    """The files of one component: a leaf to `tf.nest`, which would take a list apart."""

    names: tuple[str, ...]


def _structure(files: Any) -> Any:
    """`files` with `_Names` as leaves."""
    if isinstance(files, Mapping | tuple | list) and not files:
        raise ValueError("files is empty: name at least one file")
    if isinstance(files, Mapping):
        return {key: _structure(part) for key, part in files.items()}
    if isinstance(files, tuple):
        return tuple(_structure(part) for part in files)
    names = files if isinstance(files, list) else [files]
    for name in names:
        if not isinstance(name, str | bytes | os.PathLike):
            raise TypeError(
                "files must be a file name, a list of file names, or a dict or tuple of those "
                f"(no tensors, as sizes are checked at once), got {name!r}"
            )
    return _Names(tuple(os.fsdecode(name) for name in names))


def _like(
    structure: Any, option: str, value: Any, is_one: Callable[[Any], bool], example: str
) -> list[Any]:
    """The `value` of each component, in the order of `tf.nest.flatten(structure)`."""
    if is_one(value):
        return [value] * len(tf.nest.flatten(structure))
    keys = None
    if isinstance(structure, dict) and isinstance(value, Mapping):
        keys = sorted(structure) if structure.keys() == value.keys() else None
    elif isinstance(structure, tuple) and isinstance(value, tuple | list):
        keys = range(len(structure)) if len(structure) == len(value) else None
    if keys is None:
        alike = ""
        if isinstance(structure, dict):
            alike = f", or a dict with the keys of files, {sorted(structure)}"
        elif isinstance(structure, tuple):
            alike = f", or a tuple of {len(structure)} like files"
        raise ValueError(f"{option} must be {example}{alike}; got {value!r}")
    return [
        one
        for key in keys
        for one in _like(structure[key], f"{option}[{key!r}]", value[key], is_one, example)
    ]


def _is_dtype(value: Any) -> bool:
    return not isinstance(value, Mapping | tuple | list)


def _is_shape(value: Any) -> bool:
    if value is None or (isinstance(value, tf.TensorShape) and value.is_fully_defined()):
        return True
    return isinstance(value, tuple | list) and all(map(_is_size, value))


def _is_size(value: Any) -> bool:
    return _is_integer(value) and value >= 0


def _is_integer(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and not tf.is_tensor(value)
