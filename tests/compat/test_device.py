"""Where batches are delivered: `--device`, and its default."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

import compat.v1 as tf1
from compat.run import command
from compat.settings import Settings, settings

REPOSITORY = Path(__file__).resolve().parents[2]


def batch_of_numbers():
    number = tf1.train.range_input_producer(6, num_epochs=1, shuffle=False).dequeue()
    return tf1.train.batch([number], 3)


def test_on_several_logical_devices():
    """They are decided on before TensorFlow starts: a process of its own."""
    tests = "tests/compat/logical_devices.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests],
        cwd=REPOSITORY,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_without_a_gpu_the_default_changes_nothing(monkeypatch, run_to_end):
    assert Settings().device == "auto"
    operations = {}
    for device in ("cpu", "auto"):
        monkeypatch.setattr(settings, "device", device)
        with tf.Graph().as_default() as graph:
            batch_of_numbers()
        operations[device] = [
            (op.type, op.name, op.device) for op in graph.get_operations() if op.type != "Const"
        ]
    assert operations["auto"] == operations["cpu"]
    assert [batch.tolist() for batch in run_to_end(batch_of_numbers())] == [[0, 1, 2], [3, 4, 5]]


def test_the_command_line_refuses_an_unknown_device(tmp_path, capsys):
    script = tmp_path / "script.py"
    script.write_text("raise AssertionError('not to be run')\n")
    assert command.main(["run", "--device=GPU:99", str(script)]) == 2
    assert "--device: device='GPU:99' is not there; there are CPU:0" in capsys.readouterr().err


SCRIPT = """
import tensorflow as tf

number = tf.train.range_input_producer(4, num_epochs=1, shuffle=False).dequeue()
batch = tf.train.batch([tf.cast(number, tf.float32)], 4)
print("on", batch.op.inputs[0].device)
config = tf.ConfigProto(device_count={"CPU": 2})
with tf.train.MonitoredTrainingSession(config=config) as session:
    print(session.run(batch).tolist())
"""
START = """
import sys
import tensorflow as tf
from compat.run.command import main

one = tf.config.LogicalDeviceConfiguration()
host = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(host, [one] * 2)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("device", "place"),
    [
        ("/cpu:1", "CPU:1"),
        pytest.param("auto", "GPU:0", marks=pytest.mark.gpu),
        pytest.param("GPU:0", "GPU:0", marks=pytest.mark.gpu),
    ],
)
def test_the_command_line_decides(tmp_path, device, place):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-c", START, "run", f"--device={device}", "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"on /device:{place}", "[0.0, 1.0, 2.0, 3.0]"]


@pytest.mark.gpu
def test_gpu_is_where_batches_come(run_to_end):
    number = tf1.train.range_input_producer(6, num_epochs=1, shuffle=False).dequeue()
    batch = tf1.train.batch([number, tf.cast(number, tf.float32), tf.as_string(number)], 3)
    assert "GPU:0" in batch[0].op.inputs[0].device
    integers, floats, strings = run_to_end(batch)[-1]
    assert integers.tolist() == floats.tolist() == [3, 4, 5]
    assert strings.tolist() == [b"3", b"4", b"5"]
