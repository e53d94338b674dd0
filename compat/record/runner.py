"""What stands in the graph's QUEUE_RUNNERS collection for a pipeline of datasets.

Whoever starts queue runners (TensorFlow's `start_queue_runners`, a `MonitoredTrainingSession`, a
loop over the collection in the user's program) calls `create_threads`, and that starts the
pipeline: synchronously, and once per session.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

import tensorflow as tf

from compat.record.source import Source, on_host


class InputRunner(tf.compat.v1.train.QueueRunner):
    """Starts the datasets of one recorded call.

    It is written to and read from a `QueueRunnerDef` like any other: there its enqueue op starts
    the pipeline and then ends like that of a queue with nothing left, so that a graph which is
    exported and imported elsewhere starts under TensorFlow's own `QueueRunner`.
    """

    def __init__(
        self, source: Source, queue: object = None, cancel_op: tf.Operation | None = None
    ) -> None:
        """Stands for `source`.

        Args:
          source: the pipeline to start.
          queue: what the user's program finds as `runner.queue`.
          cancel_op: run when the coordinator stops.
        """
        self._runs_cancel_op = cancel_op is not None
        self._sources = [source]
        self._source_name = source.name
        self._started_sessions: weakref.WeakSet[tf.compat.v1.Session] = weakref.WeakSet()
        self._start_lock = threading.Lock()
        with on_host(), tf.compat.v1.name_scope(f"{source.name}/runner/"):
            with tf.control_dependencies([source.start]):
                # No more elements to enqueue: OutOfRange, by which runners end.
                start_once = tf.compat.v1.data.make_one_shot_iterator(
                    tf.data.Dataset.range(0)
                ).get_next()
            done = tf.no_op(name="done")
        super().__init__(
            queue=queue if queue is not None else source.iterator.handle.op,
            enqueue_ops=[start_once.op],
            close_op=done,
            cancel_op=done if cancel_op is None else cancel_op,
        )

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self._source_name

    @property
    def has_started(self) -> bool:
        """Whether a session runs the pipeline, with the datasets of that moment."""
        return len(self._started_sessions) > 0

    def add(self, source: Source) -> None:
        """Starts `source` together with the one it reads from."""
        self._sources.append(source)

    def create_threads(
        self,
        sess: tf.compat.v1.Session,
        coord: tf.train.Coordinator | None = None,
        daemon: bool = False,
        start: bool = False,
    ) -> list[threading.Thread]:
        """Starts the pipeline in `sess`, if it has not been started there.

        Args:
          sess: the session.
          coord: told of an error while starting; without one the error is raised here.
          daemon: whether the returned thread is one.
          start: start now, before returning; otherwise the returned thread does it.

        Returns:
          The threads, for `coord.join`; those of a pipeline that runs already are not needed.
        """
        with self._start_lock:
            if sess in self._started_sessions:
                return []
            self._started_sessions.add(sess)
        threads = []
        if start:
            self._start(sess, coord)
        else:
            threads.append(self._thread(self._start, sess, coord, daemon))
        if coord and self._runs_cancel_op:
            threads.append(self._thread(self._cancel_on_stop, sess, coord, daemon))
            if start:
                threads[-1].start()
        return threads

    def _thread(
        self,
        target: Callable[..., None],
        sess: tf.compat.v1.Session,
        coord: tf.train.Coordinator | None,
        daemon: bool,
    ) -> threading.Thread:
        thread = threading.Thread(
            target=target, args=(sess, coord), name=f"InputRunner-{self.name}", daemon=daemon
        )
        if coord:
            coord.register_thread(thread)
        return thread

    def _cancel_on_stop(self, sess: tf.compat.v1.Session, coord: tf.train.Coordinator) -> None:
        coord.wait_for_stop()
        try:
            sess.run(self.cancel_op)
        except Exception as error:
            # As in TF1: a program that stops is not stopped by this.
            tf.compat.v1.logging.vlog(1, "Ignored exception: %s", error)

    def _start(self, sess: tf.compat.v1.Session, coord: tf.train.Coordinator | None = None) -> None:
        try:
            # Who reads meanwhile, a thread that writes summaries for instance, shall be patient.
            sess.run([source.starting for source in self._sources])
            sess.run([source.start for source in self._sources])
        except Exception as error:
            self._exceptions_raised.append(error)
            # Reads then end with OutOfRange, as those of a queue whose runner failed.
            sess.run([source.start_empty for source in self._sources])
            if coord is None:
                raise
            coord.request_stop(error)
