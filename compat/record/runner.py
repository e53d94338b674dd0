"""What stands in the graph's QUEUE_RUNNERS collection for a pipeline of datasets.

Whoever starts queue runners (TensorFlow's `start_queue_runners`, a `MonitoredTrainingSession`, a
loop over the collection in the user's program) calls `create_threads`, and that starts the
pipeline: synchronously, and once per session.
"""

from __future__ import annotations

import threading
import weakref

import tensorflow as tf

from compat.record.source import Source, on_host


class InputRunner(tf.compat.v1.train.QueueRunner):
    """Starts the datasets of one recorded call.

    It is written to and read from a `QueueRunnerDef` like any other: there its enqueue op starts
    the pipeline and then ends like that of a queue with nothing left, so that a graph which is
    exported and imported elsewhere starts under TensorFlow's own `QueueRunner`.
    """

    def __init__(self, source: Source, queue: object = None) -> None:
        """Stands for `source`; `queue` is what the user's program finds as `runner.queue`."""
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
            queue=queue if queue is not None else source.handle.op,
            enqueue_ops=[start_once.op],
            close_op=done,
            cancel_op=done,
        )

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self._source_name

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
          The threads that are still to be started by the caller.
        """
        with self._start_lock:
            if sess in self._started_sessions:
                return []
            self._started_sessions.add(sess)
        if start:
            self._start(sess, coord)
            return []
        thread = threading.Thread(
            target=self._start, args=(sess, coord), name=f"InputRunner-{self.name}", daemon=daemon
        )
        if coord:
            coord.register_thread(thread)
        return [thread]

    def _start(self, sess: tf.compat.v1.Session, coord: tf.train.Coordinator | None = None) -> None:
        try:
            sess.run([source.start for source in self._sources])
        except Exception as error:
            self._exceptions_raised.append(error)
            # Reads then end with OutOfRange, as those of a queue whose runner failed.
            sess.run([source.start_empty for source in self._sources])
            if coord is None:
                raise
            coord.request_stop(error)
