"""TF1's graph mode for the tests of compat, without touching the other tests of the process."""

import pytest
import tensorflow as tf


@pytest.fixture(autouse=True)
def tf1_behavior(request):
    """What `tf.disable_v2_behavior()` switches, for one test and in a graph of its own."""
    v1 = tf.compat.v1
    v1.disable_control_flow_v2()
    v1.disable_resource_variables()
    v1.disable_v2_tensorshape()
    with tf.Graph().as_default():
        yield
    v1.enable_control_flow_v2()
    v1.enable_resource_variables()
    v1.enable_v2_tensorshape()


@pytest.fixture
def session():
    with tf.compat.v1.Session() as session:
        yield session


@pytest.fixture
def run_to_end(session):
    """Starts the runners and collects what `fetches` deliver until OutOfRangeError."""

    def run(fetches, limit=1000):
        tf.compat.v1.train.start_queue_runners(session)
        delivered = []
        with pytest.raises(tf.errors.OutOfRangeError):
            for _ in range(limit):
                delivered.append(session.run(fetches))
        return delivered

    return run
