"""Elements on the device that computes, ahead of time: `prefetch_to_device`.

    dataset = dataset.apply(tfprefetch.prefetch_to_device())  # the first GPU, if there is one

    for images, labels in dataset:  # on the GPU already; the next batches are on their way
        train_step(images, labels)

TensorFlow's own transformation does the copying. It delivers from the host without a word where
there is no such device, forgets the cardinality, and cannot be saved in words that name another
dataset; that is put right here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfprefetch.dealing import DealtDataset, dealt_out
from tfprefetch.notes import Note, add_note
from tfprefetch.specs import spec_text

Device = str | tf.config.LogicalDevice

_HOST = "/device:CPU:0"
_NO_CHECKPOINT = (
    "prefetch_to_device cannot be saved in a checkpoint, as elements are on their way to the "
    "device: save an iterator of the dataset in front of it, or count the steps and skip them"
)


def prefetch_to_device(
    device: Device | Sequence[Device] | None = None,
    buffer_size: int = 2,
    *,
    drop_remainder: bool = False,
    name: str | None = None,
) -> Callable[[tf.data.Dataset], tf.data.Dataset]:
    """Copies elements to a device while the steps before them compute.

    It must be the last stage: what stands behind it runs on the host, and elements are copied
    back for it. So are they for a `for` loop over the dataset itself inside `tf.function`, which is
    a stage to TensorFlow: give such a function the iterator, or one element.

    Strings stay on the host, on every device. Ragged and sparse tensors cannot go to a GPU.

    Works under eager execution, with Keras' `fit`, in `tf.function` (iterators), and in TF1 graphs
    with initializable iterators. The iterator cannot be saved in a checkpoint, unless all stays on
    the host.

    Args:
        device: where to: `"GPU:1"`, `"/gpu:1"`, `"/device:GPU:1"`, or one of
            `tf.config.list_logical_devices()`; the first of its kind without a number. None: the
            first GPU. Where there is no GPU, or where the elements have ragged or sparse tensors,
            None is a plain `Dataset.prefetch(buffer_size)`, as is `"CPU:0"`: the program runs on.
            A list, of one device per replica: each element is a tuple with one element of the input
            for each device, dealt out in turn. Only `iter(dataset)` delivers these on the devices;
            to further stages and to Keras they come on the host.
        buffer_size: how many elements wait on each device, at least 1.
        drop_remainder: with a list, whether to leave out elements that are left at the end when all
            devices have got the same number; else they are an error.
        name: a name for the last operation.

    Returns:
        A function for `dataset.apply`. Structure, shapes, dtypes, order and cardinality are the
        input's; with a list, `(element_spec, ...)` and the cardinality divided by its length.

    Raises:
        TypeError: at once, for a `device` that is no name, or a `buffer_size` that is no integer.
        ValueError: at once, for a device that is not there, or `buffer_size < 1`; in `apply`, for
            ragged or sparse tensors and nested datasets that cannot go to `device`, and for a
            number of elements that cannot be dealt out.
        RuntimeError: in `apply`, for a list of devices in a TF1 graph.
        tf.errors.InvalidArgumentError: at the end, for elements left over that nobody could know of
            before.
        tf.errors.UnimplementedError: where the iterator is saved or restored.

    >>> dataset = tf.data.Dataset.range(3).apply(prefetch_to_device("CPU:0"))
    >>> [int(element) for element in dataset]
    [0, 1, 2]
    >>> prefetch_to_device("GPU:7")
    Traceback (most recent call last):
    ValueError: device='GPU:7' is not there; there are ...
    """
    if isinstance(buffer_size, bool) or not isinstance(buffer_size, int):
        raise TypeError(f"buffer_size must be an int, got {buffer_size!r}")
    if buffer_size < 1:
        raise ValueError(f"buffer_size must be at least 1 element, got {buffer_size}")
    # A LogicalDevice is a tuple, too.
    if isinstance(device, list | tuple) and not isinstance(device, tf.config.LogicalDevice):
        if not device:
            raise ValueError("device=[] names no device: give one per replica, or None for a GPU")
        places = [find_device(part) for part in device]
        return functools.partial(_deal, places, buffer_size, drop_remainder)
    if drop_remainder:
        raise ValueError("drop_remainder=True is for a list of devices; one device gets everything")
    if device is None:
        return functools.partial(_copy_if_possible, first_gpu(), buffer_size, name)
    return functools.partial(_copy, find_device(device), buffer_size, name)


def _copy_if_possible(
    place: str | None, buffer_size: int, name: str | None, dataset: tf.data.Dataset
) -> tf.data.Dataset:
    """`_copy`; where that cannot be, elements stay on the host."""
    obstacle = "no GPU" if place is None else _obstacle(place, dataset.element_spec)
    if obstacle is None:
        return _copy(place, buffer_size, name, dataset)
    note = Note(f"prefetch_to_device: {obstacle}, buffer_size={buffer_size}", (), (dataset,))
    return add_note(dataset.prefetch(buffer_size, name=name), note)


def _copy(
    place: str, buffer_size: int, name: str | None, dataset: tf.data.Dataset
) -> tf.data.Dataset:
    details = _refuse_or_tell([place], dataset)
    note = Note(
        f"prefetch_to_device: {_short(place)}, buffer_size={buffer_size}", details, (dataset,)
    )
    if place == _HOST:
        return add_note(dataset.prefetch(buffer_size, name=name), note)
    copied = dataset.apply(tf.data.experimental.copy_to_device(place, source_device=_HOST))
    return add_note(_DeviceDataset(copied.prefetch(buffer_size, name=name), dataset), note)


def _deal(
    places: list[str], buffer_size: int, drop_remainder: bool, dataset: tf.data.Dataset
) -> tf.data.Dataset:
    details = _refuse_or_tell(places, dataset)
    if not tf.compat.v1.executing_eagerly_outside_functions():
        raise RuntimeError(
            "prefetch_to_device with a list of devices needs eager execution; in a TF1 graph, give "
            "each device a dataset of its own: dataset.shard(num_devices, index)"
        )
    tuples = dealt_out(dataset, len(places), drop_remainder)
    text = ", ".join(map(_short, places))
    note = Note(f"prefetch_to_device: [{text}], buffer_size={buffer_size}", details, (dataset,))
    return add_note(DealtDataset(tuples, places, buffer_size, _NO_CHECKPOINT), note)


class _DeviceDataset(tf.data.Dataset):
    """What `delivered` delivers, as many elements as the input has; its iterators explain."""

    def __init__(self, delivered: tf.data.Dataset, dataset: tf.data.Dataset) -> None:
        self._delivered = delivered
        self._reads = dataset
        super().__init__(tf.data.experimental.to_variant(delivered))

    @property
    def element_spec(self) -> Any:
        return self._reads.element_spec

    def _inputs(self) -> list[tf.data.Dataset]:  # what TensorFlow asks every dataset for
        return [self._delivered]

    def cardinality(self) -> tf.Tensor:
        """That of the input, which copying element by element keeps."""
        return self._reads.cardinality()

    def __iter__(self) -> Any:
        iterator = super().__iter__()
        # TensorFlow has no public way to say why an iterator cannot be saved, and its own words
        # name a dataset that is inside of this one. Restoring begins with saving, too.
        iterator._serialize_to_tensors = _refuse_checkpoint
        return iterator


def _refuse_checkpoint() -> None:
    raise tf.errors.UnimplementedError(None, None, _NO_CHECKPOINT)


def devices() -> list[str]:
    """The devices that there are: `/device:CPU:0`, `/device:GPU:0` and so on.

    `tf.config.list_logical_devices` would say the same, and take the GPUs' memory on the way, which
    a TF1 program may want to limit afterwards.
    """
    places: list[str] = []
    counts: dict[str, int] = {}
    for physical in tf.config.get_visible_devices():
        kind = physical.device_type
        for _ in tf.config.get_logical_device_configuration(physical) or [None]:
            index = counts.get(kind, 0)
            places.append(f"/device:{kind}:{index}")
            counts[kind] = index + 1
    return places


def first_gpu() -> str | None:
    """The first of `devices()` that is a GPU; None where there is none."""
    return next((place for place in devices() if _kind(place) == "GPU"), None)


def find_device(device: Device) -> str:
    """The one of `devices()` that is meant.

    Raises:
        TypeError: `device` is no name.
        ValueError: there is no such device; the text names those there are.
    """
    name = device.name if isinstance(device, tf.config.LogicalDevice) else device
    if not isinstance(name, str):
        raise TypeError(
            f"device must be a name like 'GPU:0', a list of names, or None, got {device!r} "
            f"({type(device).__name__})"
        )
    places = devices()
    try:
        spec = tf.DeviceSpec.from_string(name)
    except ValueError:
        spec = tf.DeviceSpec()
    place = f"/device:{spec.device_type}:{spec.device_index or 0}"
    is_local = spec.job in (None, "localhost") and not spec.replica and not spec.task
    if place not in places or not is_local:
        there = ", ".join(map(_short, places))
        no_gpu = "" if first_gpu() else ", and no GPU"
        raise ValueError(f"device={name!r} is not there; there are {there}{no_gpu}")
    return place


def _kind(place: str) -> str:
    return tf.DeviceSpec.from_string(place).device_type


def _short(place: str) -> str:
    return place.removeprefix("/device:")


def _refuse_or_tell(places: list[str], dataset: tf.data.Dataset) -> tuple[str, ...]:
    """Details for the note; raises for what cannot be copied to one of `places`."""
    for place in places:
        obstacle = _obstacle(place, dataset.element_spec)
        if obstacle is not None:
            raise ValueError(
                f"prefetch_to_device cannot copy to {_short(place)}, as there are {obstacle}: "
                f"{spec_text(dataset.element_spec)}. Make dense tensors of them (to_tensor, "
                "tf.sparse.to_dense), or leave them on the host with a plain prefetch"
            )
    dtypes = {getattr(spec, "dtype", None) for spec in tf.nest.flatten(dataset.element_spec)}
    if tf.string in dtypes and places != [_HOST]:
        return ("string components stay on the host",)
    return ()


def _obstacle(place: str, element_spec: Any) -> str | None:
    """What among the components cannot be copied to `place`.

    TensorFlow packs ragged and sparse tensors into variants. It copies what is in these to a GPU,
    but what takes them out again on the GPU reads them from the host's memory.
    """
    if place == _HOST:
        return None
    for spec in tf.nest.flatten(element_spec):
        if isinstance(spec, tf.data.DatasetSpec):
            return "nested datasets"
        if _kind(place) == "CPU":
            continue
        if isinstance(spec, tf.RaggedTensorSpec):
            return "ragged tensors"
        if isinstance(spec, tf.SparseTensorSpec):
            return "sparse tensors"
        if not isinstance(spec, tf.TensorSpec) or spec.dtype == tf.variant:
            return f"components of the type {type(spec).__name__.removesuffix('Spec')}"
    return None
