"""`tfprefetch-compat run`, on scripts written the way they were written for TensorFlow 1."""

import functools
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap

import pytest

import compat
from compat.run import python2

ROOT = pathlib.Path(compat.__file__).parents[1]


@pytest.fixture
def program(tmp_path):
    """The console script, in a folder of its own as when installed."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "tfprefetch-compat"
    program.write_text(
        "import sys\nfrom compat.run.command import main\n"
        'if __name__ == "__main__":\n    sys.exit(main())\n'
    )
    return [sys.executable, str(program)]


@pytest.fixture
def project(tmp_path):
    """Writes files into a user's folder, and returns it."""

    def write(files):
        folder = tmp_path / "project"
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        return folder

    return write


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}


def run(program, folder, *arguments):
    return subprocess.run(
        [*program, "run", *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture
def run_forked(program, forked_python):
    """The same in a fork, for what does not depend on how the process has begun."""

    def run(folder, *arguments):
        return forked_python([*program, "run", *arguments], cwd=folder, env=os.environ, text=True)

    return run


TRAIN = """
    \"\"\"Trains.\"\"\"
    from __future__ import print_function
    import sys
    import tensorflow as tf
    import tensorflow.compat.v1 as tfc
    import tensorflow.python.training.input
    from tensorflow import flags, gfile
    from tensorflow.python.ops import data_flow_ops
    from tensorflow.python.platform import gfile as platform_gfile
    import model

    flags.DEFINE_string('stats', '', 'The same name as a flag of the command.')
    flags.DEFINE_boolean('strict', False, 'The same name as a flag of the command.')
    FLAGS = flags.FLAGS

    def main(argv):
        print(argv, FLAGS.stats, FLAGS.strict, FLAGS.size)
        assert tfc.train.batch is tf.train.batch is tensorflow.python.training.input.batch
        assert data_flow_ops.FIFOQueue is tf.FIFOQueue
        assert gfile.Exists is platform_gfile.Exists
        print(tf.train.batch.__module__.split('.')[0], not tf.executing_eagerly())
        batch = model.batches(FLAGS.size)
        with tf.Session() as sess:
            coord = tf.train.Coordinator()
            threads = tf.train.start_queue_runners(sess=sess, coord=coord)
            try:
                while not coord.should_stop():
                    print(sess.run(batch))
            except tf.errors.OutOfRangeError:
                print('done')
            finally:
                coord.request_stop()
            coord.join(threads)
        sys.exit(7)

    if __name__ == '__main__':
        tf.app.run()
    """
MODEL = """
    import tensorflow as tf
    tf.app.flags.DEFINE_integer('size', 1, 'Size.')

    def batches(size):
        numbers = tf.train.range_input_producer(5, num_epochs=1, shuffle=False).dequeue()
        with tf.control_dependencies([]):
            return tf.train.batch(
                [numbers], size, allow_smaller_final_batch=True)
    """


@pytest.mark.parametrize("engine", ["datasets", "queues"])
def test_an_unmodified_script_runs(program, run_forked, project, tmp_path, engine):
    folder = project({"train.py": TRAIN, "model.py": MODEL})
    if engine == "queues":
        # TensorFlow's own producers need what ours do not.
        train = folder / "train.py"
        train.write_text(
            train.read_text().replace(
                "coord = ", "sess.run(tf.local_variables_initializer()); coord = "
            )
        )
    stats = tmp_path / "stats.json"
    run_in = functools.partial(run, program) if engine == "datasets" else run_forked
    done = run_in(
        tmp_path,
        f"--engine={engine}",
        "--stats",
        str(stats),
        "project/train.py",
        "--stats=mine",
        "--strict",
        "--size",
        "2",
        "more",
    )
    assert done.stdout.splitlines() == [
        "['project/train.py', 'more'] mine True 2",
        "compat True",
        "[0 1]",
        "[2 3]",
        "[4]",
        "done",
    ], done.stderr
    assert done.returncode == 7
    (pipeline,) = json.loads(stats.read_text())["pipelines"]
    assert pipeline["engine"] == ("datasets" if engine == "datasets" else "queue")
    assert pipeline["line"].startswith(str(folder / "model.py"))
    if engine == "datasets":
        assert pipeline["elements"] == 5


def test_the_process_is_the_scripts(program, project, tmp_path):
    folder = project(
        {
            "script.py": """
            import importlib, multiprocessing, os, pickle, sys
            import compat, compat.part
            import tensorflow as tf
            from package import inner

            def work(number):
                return number + 1, compat.mine, tf.train.batch.__module__

            if __name__ == "__main__":
                main = sys.modules["__main__"]
                here = os.path.dirname(os.path.abspath("script.py"))
                assert main.__dict__ is globals() and main.__file__ == __file__
                assert __file__ == os.path.join(here, "script.py") and __spec__ is None
                assert sys.argv == ["script.py", "a", "--", "-b"] and sys.path[0] == here
                assert pickle.loads(pickle.dumps(work)) is work
                # Ours has stepped aside for theirs.
                assert compat.mine == compat.part.mine == "theirs"
                assert compat.__file__ == os.path.join(here, "compat", "__init__.py")
                # Other ways to import.
                assert importlib.import_module("tensorflow") is tf is __import__("tensorflow")
                scope = {}
                exec("import tensorflow as tf", scope)
                assert scope["tf"] is tf is inner.tf
                assert sys.modules["tensorflow"] is not tf
                import tensorflow.keras.layers
                from tensorflow.keras.layers import Dense
                assert tensorflow is tf and Dense is tf.keras.layers.Dense
                # Installed packages see the real one.
                import installed
                assert installed.tf is sys.modules["tensorflow"]
                for method in ("fork", "spawn"):
                    with multiprocessing.get_context(method).Pool(1) as pool:
                        print(pool.map(work, [1]))
            """,
            "compat/__init__.py": "from .part import mine",
            "compat/part.py": "mine = 'theirs'",
            "package/__init__.py": "",
            "package/inner.py": "from .deeper import tf",
            "package/deeper.py": "import tensorflow as tf",
        }
    )
    installed = tmp_path / "lib" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "installed.py").write_text("import tensorflow as tf\n")
    script = folder / "script.py"
    script.write_text(
        script.read_text().replace(
            "import installed", f"sys.path.append({str(installed)!r}); import installed"
        )
    )
    done = run(program, folder, "script.py", "a", "--", "-b")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[(2, 'theirs', 'compat.record.batching')]"] * 2


def test_tracebacks_and_statuses_are_the_scripts(run_forked, project, tmp_path):
    folder = project(
        {
            "script.py": """
            import traceback
            import tensorflow as tf
            for statement in ("from tensorflow.contrib import crf",
                              "import tensorflow.contrib.crf as crf",
                              "from tensorflow.examples.tutorials.mnist import input_data"):
                try:
                    exec(statement)
                except ImportError as error:
                    print(type(error).__name__, error)
            try:
                import broken
            except ZeroDivisionError:
                traceback.print_exc()
            tf.contrib.crf.crf_log_likelihood
            """,
            "broken.py": "1 / 0",
        }
    )
    done = run_forked(folder, "--stats", str(tmp_path / "stats"), "script.py")
    assert done.returncode == 1
    crf, also_crf, mnist = done.stdout.splitlines()
    assert crf == also_crf and "no successor" in crf and crf.startswith("ModuleNotFoundError")
    assert "tf.keras.datasets.mnist" in mnist
    assert re.search(r"contrib\.crf\.crf_log.* is not .*successor", done.stderr.splitlines()[-1])
    script, broken = str(folder / "script.py"), str(folder / "broken.py")
    frames = re.findall(r'File "([^"]+)", line (\d+)', done.stderr)
    if sys.version_info >= (3, 11):
        assert frames == [(script, "12"), (broken, "1"), (script, "15")]
    assert frames[-1] == (script, "15")
    # An exception does not keep the statistics from being written.
    assert json.loads((tmp_path / "stats").read_text()) == {"pipelines": []}


def test_python_2_in_an_imported_module_is_one_line(run_forked, project):
    folder = project({"script.py": "import helper", "helper.py": "x = 1\nprint 'hello'\n"})
    done = run_forked(folder, "script.py")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"tfprefetch-compat: {folder / 'helper.py'}:2: "
        f"Python 2 syntax (the print statement): {python2.REMEDY}"
    )
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM there")
def test_stats_survive_sigterm_and_children(program, project, tmp_path):
    folder = project(
        {
            "script.py": """
            import multiprocessing, time
            child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
            child.start()
            child.terminate()
            child.join(60)
            print(child.exitcode, flush=True)
            time.sleep(600)
            """
        }
    )
    stats = tmp_path / "stats.json"
    process = subprocess.Popen(
        [*program, "run", "--stats", str(stats), "script.py"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout.readline() == f"{-signal.SIGTERM}\n"
            assert stats.read_text() == ""  # the child has not written it
            process.terminate()
            process.wait(60)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGTERM
    assert json.loads(stats.read_text()) == {"pipelines": []}


def test_ctrl_c_ends_a_program_in_the_middle_of_its_data(program, project):
    text = """
        import tensorflow as tf

        number = tf.train.range_input_producer(100).dequeue()
        called = tf.py_func(lambda number: number, [number], tf.int32)
        called.set_shape([])
        batches = tf.train.batch_join([[number], [number]], 4), tf.train.batch([called], 4)
        with tf.Session() as session:
            coordinator = tf.train.Coordinator()
            threads = tf.train.start_queue_runners(session, coordinator)
            session.run(batches)
            print("running", flush=True)
            while not coordinator.should_stop():
                session.run(batches)
        """
    folder = project({"script.py": text})
    process = subprocess.Popen(
        [*program, "run", "script.py"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Shells start background jobs with SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        try:
            assert process.stdout.readline() == "running\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
            assert process.stderr.read().splitlines()[-1] == "KeyboardInterrupt"
        finally:
            process.kill()


def test_strict_names_the_line(run_forked, project):
    folder = project(
        {
            "script.py": """
            import tensorflow as tf
            queue = tf.FIFOQueue(10, [tf.int32], shapes=[[]])
            tf.train.add_queue_runner(
                tf.train.QueueRunner(queue, [queue.enqueue_many([[1, 2]])]))
            batch = tf.train.batch([queue.dequeue()], 2)
            """
        }
    )
    done = run_forked(folder, "--strict", "script.py")
    assert done.returncode == 1
    assert f'File "{folder / "script.py"}", line 6' in done.stderr
    error = done.stderr.splitlines()[-1]
    assert "QueueFallbackError" in error and f"FIFOQueue of {folder / 'script.py'}:3 runs" in error
