"""`from_raw`, shuffled; and resumed from a checkpoint."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from raw_files import batches, numbers, write

import tfprefetch

pytestmark = pytest.mark.usefixtures("in_directory")


# --- shuffled -------------------------------------------------------------------------------------


# In one pool; in many; in pools of one batch; with blocks that pools divide.
@pytest.mark.parametrize("buffer_bytes", [1 << 20, 900, 1, 12 * 500])
@pytest.mark.parametrize("drop_remainder", [False, True])
def test_every_epoch_is_a_new_order_of_everything(buffer_bytes, drop_remainder):
    options = {
        "num_epochs": 3,
        "shuffle": True,
        "shuffle_buffer_bytes": buffer_bytes,
        "drop_remainder": drop_remainder,
        "batch_size": 8,
    }
    found = numbers(605, seed=3, **options)
    length = 600 if drop_remainder else 605
    assert len(found) == 3 * length
    epochs = [found[start : start + length] for start in range(0, 3 * length, length)]
    for epoch in epochs:
        assert len(set(epoch)) == length
        assert set(epoch) <= set(range(605))
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    if drop_remainder:  # not the same ones every time
        assert len({frozenset(range(605)) - frozenset(epoch) for epoch in epochs}) == 3
    assert found == numbers(605, seed=3, **options)
    options["num_epochs"] = 1
    assert numbers(605, seed=4, **options) != epochs[0]
    assert numbers(605, **options) != numbers(605, **options)
    # Spread over the whole file, wherever one looks.
    assert abs((np.array(epochs[0][:300]) < 300).mean() - 0.5) < 0.2


def test_a_small_file_is_shuffled_evenly():
    write("n.bin", np.arange(3, dtype=np.int32))
    dataset = tfprefetch.from_raw("n.bin", tf.int32, [], 3, num_epochs=600, shuffle=True, seed=1)
    orders = [tuple(batch) for batch in dataset.as_numpy_iterator()]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert min(counts) > 60


def test_blocks_from_all_over_the_file_are_mixed():
    # A pool has 512 records, 128 blocks of 4 neighbours.
    found = numbers(65536, batch_size=64, shuffle=True, seed=1, shuffle_buffer_bytes=512 * 12)
    pools = np.array(found).reshape(-1, 512)
    assert sorted(found) == list(range(65536))
    for pool in pools[::10]:
        assert len(set(pool // 4)) == 128
        assert len(set(pool // 2048)) > 25  # of 32 parts of the file
        assert (np.diff(pool) == 1).sum() < 10
    firsts = pools[:-1] // 4
    assert len(set(firsts[:, 0])) > 100


def test_each_iteration_has_its_own_order():
    write("n.bin", np.arange(100, dtype=np.int32))

    def three():
        dataset = tfprefetch.from_raw("n.bin", tf.int32, [], 100, shuffle=True, seed=5)
        return [next(iter(dataset)).numpy().tolist() for _ in range(3)]

    first = three()
    assert first[0] != first[1] != first[2]
    assert first == three()


def test_components_are_shuffled_alike():
    write("x.bin", np.arange(2000, dtype=np.int32).reshape(1000, 2))
    write("y.bin", np.arange(1000, dtype=np.int32))
    for x, y in batches(
        ("x.bin", "y.bin"), tf.int32, ([2], []), 9, shuffle=True, shuffle_buffer_bytes=999
    ):
        assert (x[:, 0] == 2 * y).all()
        assert (x[:, 1] == 2 * y + 1).all()


# --- resuming -------------------------------------------------------------------------------------

RESUME = """
import tensorflow as tf
import tfprefetch

for case, (shuffle, seed) in enumerate({cases}):
    dataset = tfprefetch.from_raw(
        "n.bin", tf.int32, [], 7, num_epochs=3, shuffle=shuffle, seed=seed,
        shuffle_buffer_bytes=2000,
    )
    iterator = iter(dataset)
    tf.train.Checkpoint(iterator=iterator).restore("checkpoint%d-1" % case)
    print(*[number for batch in iterator for number in batch.numpy()])
"""


def test_resuming_in_another_process(run_program):
    write("n.bin", np.arange(1000, dtype=np.int32))
    cases = [(False, None), (True, None), (True, 3)]
    options = {"num_epochs": 3, "shuffle_buffer_bytes": 2000}
    found = []
    for case, (shuffle, seed) in enumerate(cases):
        dataset = tfprefetch.from_raw(
            "n.bin", tf.int32, [], 7, shuffle=shuffle, seed=seed, **options
        )
        iterator = iter(dataset)
        found.append([number for _ in range(200) for number in next(iterator).numpy().tolist()])
        tf.train.Checkpoint(iterator=iterator).save(f"checkpoint{case}")
    lines = run_program(RESUME.format(cases=cases)).splitlines()
    for numbers_before, line in zip(found, lines, strict=True):
        numbers_before += map(int, line.split())
        assert len(numbers_before) == 3000
        for epoch in range(3):
            one = numbers_before[epoch * 1000 : (epoch + 1) * 1000]
            assert sorted(one) == list(range(1000))
    assert found[0] == [*range(1000)] * 3
    assert found[2] == numbers(1000, batch_size=7, shuffle=True, seed=3, **options)


def test_a_checkpoint_holds_no_pool():
    write("n.bin", np.zeros(2 << 20, np.float32))
    iterator = iter(tfprefetch.from_raw("n.bin", tf.float32, [], 1024, shuffle=True, num_epochs=9))
    next(iterator)
    tf.train.Checkpoint(iterator=iterator).write("checkpoint")
    assert sum(path.stat().st_size for path in pathlib.Path().glob("checkpoint*")) < 1 << 20
