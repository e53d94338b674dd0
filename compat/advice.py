"""What became of names that TF1's `tensorflow` had and TensorFlow 2's `compat.v1` lacks.

`GONE` is the one table of remedies: a name, without its leading `tensorflow.`, and what to do
about it; a row speaks for every name below it that has no row of its own. `MOVED` lists the names
that still exist somewhere else, `PACKAGES` those that a package of others has: they just work.

>>> print(message("contrib.slim.nets"))
tensorflow.contrib.slim.nets is not in TensorFlow 2: it lives on in tf_slim: `pip install ...
"""

from __future__ import annotations

import re

_LEGACY = "`pip install tfprefetch[legacy]`"
_SLIM = f"it lives on in tf_slim: {_LEGACY}, and it is served from there"
_NOT_IN_SLIM = "tf_slim does not have it either"
_KERAS_2 = (
    f"TensorFlow takes it from Keras, and Keras 3 dropped it: {_LEGACY}; outside of "
    "`tfprefetch-compat run` also set TF_USE_LEGACY_KERAS=1 in the environment before TensorFlow "
    "is imported"
)
_QUEUES = (
    "use tf.train.string_input_producer, a reader and tf.train.batch, which run on datasets here, "
    "or tf.data"
)
_STATE_SAVER = (
    "it has no successor: split the sequences in a dataset (tf.data.Dataset.window or batch) and "
    "keep the state in a tf.Variable per row of the batch"
)
_MNIST = (
    "the tutorials are no longer shipped: `tf.keras.datasets.mnist.load_data()` returns the same "
    "images and labels as arrays"
)

GONE: dict[str, str] = {
    # contrib: projects of others, dissolved in TensorFlow 2.0.
    "contrib": f"it was dissolved in TensorFlow 2.0. slim, layers, framework, losses and metrics "
    f"are served from tf_slim ({_LEGACY}); of the rest, most is in tf itself (contrib.data in "
    "tf.data, contrib.lookup in tf.lookup …)",
    "contrib.autograph": "use tf.autograph",
    "contrib.checkpoint": "use tf.train.Checkpoint",
    "contrib.cluster_resolver": "use tf.distribute.cluster_resolver",
    "contrib.crf": "it has no successor in TensorFlow; `pip install tensorflow_addons` has it for "
    "TensorFlow up to 2.14",
    "contrib.cudnn_rnn": "use tf.keras.layers.LSTM or GRU, which use cuDNN by themselves",
    "contrib.data": "its functions are methods of tf.data.Dataset or in tf.data.experimental",
    "contrib.data.batch_and_drop_remainder": "use Dataset.batch with drop_remainder=True",
    "contrib.data.bucket_by_sequence_length": "use tf.data.experimental.bucket_by_sequence_length",
    "contrib.data.make_batched_features_dataset": "use "
    "tf.data.experimental.make_batched_features_dataset",
    "contrib.data.make_csv_dataset": "use tf.data.experimental.make_csv_dataset",
    "contrib.data.parallel_interleave": "use Dataset.interleave with num_parallel_calls",
    "contrib.data.read_batch_features": "use tf.data.experimental.make_batched_features_dataset",
    "contrib.data.shuffle_and_repeat": "use Dataset.shuffle and Dataset.repeat",
    "contrib.data.map_and_batch": "use tf.data.experimental.map_and_batch, or the faster "
    "tfprefetch.map_and_batch",
    "contrib.data.prefetch_to_device": "use tf.data.experimental.prefetch_to_device",
    "contrib.deprecated": "use tf.summary: `scalar_summary` is tf.summary.scalar, and so on",
    "contrib.distribute": "use tf.distribute",
    "contrib.distributions": "use tf.distributions, or `pip install tensorflow_probability`",
    "contrib.eager": "use tf.enable_eager_execution, tf.data.Dataset and tf.train.Checkpoint",
    "contrib.estimator": "Estimators were removed in TensorFlow 2.16: write the loop with "
    "tf.train.MonitoredTrainingSession",
    "contrib.ffmpeg": "use tf.audio.decode_wav; for other formats `pip install tensorflow_io`",
    "contrib.framework": f"{_SLIM}: `arg_scope`, `get_variables` and others",
    "contrib.image": "use tf.image; for projective transforms, "
    "tf.raw_ops.ImageProjectiveTransformV3",
    "contrib.keras": "use tf.keras",
    "contrib.layers": f"{_SLIM}: `fully_connected`, `conv2d` and the others",
    "contrib.layers.embed_sequence": f"{_NOT_IN_SLIM}: use tf.get_variable and "
    "tf.nn.embedding_lookup",
    "contrib.layers.l1_regularizer": _SLIM,
    "contrib.layers.l2_regularizer": _SLIM,
    "contrib.layers.variance_scaling_initializer": f"{_SLIM}; or use "
    "tf.variance_scaling_initializer(scale=2.0)",
    "contrib.layers.xavier_initializer": f"{_SLIM}; or use tf.glorot_uniform_initializer",
    "contrib.layers.xavier_initializer_conv2d": f"{_SLIM}; or use tf.glorot_uniform_initializer",
    "contrib.learn": "it was removed with the Estimators: write the loop with "
    "tf.train.MonitoredTrainingSession; for its input functions use tf.train.string_input_producer "
    "and tf.train.batch",
    "contrib.learn.io": _QUEUES,
    "contrib.learn.io.numpy_input_fn": "use tf.train.slice_input_producer over the arrays and "
    "tf.train.batch, or tf.data.Dataset.from_tensor_slices",
    "contrib.learn.io.pandas_input_fn": "use tf.train.slice_input_producer over the columns and "
    "tf.train.batch, or tf.data.Dataset.from_tensor_slices(dict(frame))",
    "contrib.learn.read_batch_examples": "use tf.train.string_input_producer, "
    "tf.TFRecordReader.read and tf.train.shuffle_batch",
    "contrib.learn.read_batch_features": "use tf.train.string_input_producer, "
    "tf.TFRecordReader.read, tf.train.shuffle_batch and tf.parse_example",
    "contrib.learn.read_batch_record_features": "use tf.train.string_input_producer, "
    "tf.TFRecordReader.read, tf.train.batch and tf.parse_example",
    "contrib.learn.datasets": "scikit-learn and tf.keras.datasets have the classic data sets",
    "contrib.learn.datasets.mnist": _MNIST,
    "contrib.learn.python.learn.datasets": "scikit-learn and tf.keras.datasets have them",
    "contrib.learn.python.learn.datasets.mnist": _MNIST,
    "contrib.legacy_seq2seq": "it has no successor: use tf.nn.dynamic_rnn or tf.keras.layers",
    "contrib.lite": "use tf.lite",
    "contrib.lookup": "use tf.lookup",
    "contrib.losses": f"{_SLIM}; or use tf.losses",
    "contrib.metrics": f"{_SLIM}; or use tf.metrics: `streaming_accuracy` is tf.metrics.accuracy, "
    "and so on",
    "contrib.opt": f"use the optimizers in tf.train, or {_LEGACY} for the optimizers of tf.keras",
    "contrib.quantize": "`pip install tensorflow_model_optimization`",
    "contrib.rnn": "the cells are in tf.nn.rnn_cell, the loops are tf.nn.static_rnn and "
    "tf.nn.dynamic_rnn. For the cells: " + _KERAS_2,
    "contrib.saved_model": "use tf.saved_model",
    "contrib.seq2seq": "it has no successor in TensorFlow; `pip install tensorflow_addons` has it "
    "for TensorFlow up to 2.14",
    "contrib.signal": "use tf.signal",
    "contrib.slim": _SLIM,
    "contrib.staging": "StagingArea is in tensorflow.python.ops.data_flow_ops",
    "contrib.stateless": "use tf.random.stateless_uniform and its siblings",
    "contrib.summary": "use tf.compat.v2.summary",
    "contrib.tensor_forest": "`pip install tensorflow_decision_forests`",
    "contrib.tensorboard": "the projector is in the package tensorboard: "
    "`from tensorboard.plugins import projector`",
    "contrib.tensorrt": "use tf.compat.v2.experimental.tensorrt",
    "contrib.tpu": "use tf.tpu and tf.distribute",
    "contrib.training": "of it, bucket and bucket_by_sequence_length are here; its training and "
    f"evaluation loops are those of slim: {_LEGACY}, and tf.contrib.slim.learning and "
    "tf.contrib.slim.evaluation are served",
    "contrib.training.NextQueuedSequenceBatch": _STATE_SAVER,
    "contrib.training.SequenceQueueingStateSaver": _STATE_SAVER,
    "contrib.training.batch_sequences_with_states": _STATE_SAVER,
    "contrib.training.rejection_sample": "use tf.data.Dataset.rejection_resample; for fixed rates "
    "draw tf.random_uniform([]) per element, as keep_input of tf.train.maybe_batch",
    "contrib.training.resample_at_rate": "use tf.data: Dataset.flat_map over "
    "tf.data.Dataset.from_tensors(element).repeat(count)",
    "contrib.training.stratified_sample": "use tf.data.Dataset.rejection_resample; for fixed rates "
    "draw tf.random_uniform([]) per element, as keep_input of tf.train.maybe_batch",
    "contrib.training.weighted_resample": "use tf.data.Dataset.rejection_resample",
    "contrib.training.HParams": "it has no successor: use types.SimpleNamespace or a dataclass",
    "contrib.util": "use tf.make_tensor_proto, tf.make_ndarray and tf.get_static_value",
    # Shipped with TF1, but not part of its API.
    "examples": "the examples are no longer shipped with TensorFlow: copy what you need",
    "examples.tutorials.mnist": _MNIST,
    "models": "it was moved out of TensorFlow before 1.0, to the repository tensorflow/models",
    "python.ops.seq2seq": "it has no successor: use tf.nn.dynamic_rnn or tf.keras.layers",
    "tensorboard": "it is a package of its own: `pip install tensorboard`",
    "tools.graph_transforms": "it was removed in TensorFlow 2; tf.graph_util and tf.lite remain",
    # The API of 1.15 that TensorFlow 2 dropped.
    "config.experimental_list_devices": "use tf.config.list_logical_devices",
    "data.experimental.CheckpointInputPipelineHook": "it was removed with the Estimators",
    "data.experimental.StatsAggregator": "the statistics were removed; `run --stats FILE` counts "
    "what each pipeline delivers",
    "estimator": "Estimators were removed in TensorFlow 2.16: write the loop with "
    "tf.train.MonitoredTrainingSession, or use tf.keras",
    "estimator.inputs": "it went with the Estimators. " + _QUEUES,
    "estimator.inputs.numpy_input_fn": "use tf.train.slice_input_producer over the arrays and "
    "tf.train.batch, or tf.data.Dataset.from_tensor_slices",
    "estimator.inputs.pandas_input_fn": "use tf.train.slice_input_producer over the columns and "
    "tf.train.batch, or tf.data.Dataset.from_tensor_slices(dict(frame))",
    "layers": _KERAS_2,
    "lite.experimental.nn": "use tf.keras.layers, which tf.lite converts",
    "nn.rnn_cell": _KERAS_2,
    "python.estimator": "Estimators were removed in TensorFlow 2.16",
    "python.keras.estimator": "Estimators were removed in TensorFlow 2.16",
    # Renamed for TensorFlow 1.0.
    "all_candidate_sampler": "use tf.nn.all_candidate_sampler",
    "audio_summary": "use tf.summary.audio",
    "batch_matmul": "use tf.matmul",
    "complex_abs": "use tf.abs",
    "histogram_summary": "use tf.summary.histogram",
    "image_summary": "use tf.summary.image",
    "inv": "use tf.reciprocal",
    "listdiff": "use tf.setdiff1d",
    "merge_all_summaries": "use tf.summary.merge_all",
    "merge_summary": "use tf.summary.merge",
    "mul": "use tf.multiply",
    "neg": "use tf.negative",
    "nn.bidirectional_rnn": "use tf.nn.static_bidirectional_rnn",
    "nn.rnn": "use tf.nn.static_rnn",
    "nn.seq2seq": "it has no successor: use tf.nn.dynamic_rnn or tf.keras.layers",
    "pack": "use tf.stack",
    "scalar_summary": "use tf.summary.scalar",
    "select": "use tf.where",
    "sub": "use tf.subtract",
    "train.SummaryWriter": "use tf.summary.FileWriter",
    "unpack": "use tf.unstack",
}

# Where TF1 had it: where it is now; both are names under `tensorflow`. Those outside of contrib are
# names that TF1's scripts use though they are not public: TensorFlow 2 keeps its public ones.
MOVED: dict[str, str] = {
    "contrib.data.AUTOTUNE": "data.experimental.AUTOTUNE",
    "contrib.framework.argsort": "argsort",
    "contrib.framework.get_global_step": "train.get_global_step",
    "contrib.framework.get_or_create_global_step": "train.get_or_create_global_step",
    "contrib.framework.init_from_checkpoint": "train.init_from_checkpoint",
    "contrib.framework.is_tensor": "is_tensor",
    "contrib.framework.list_variables": "train.list_variables",
    "contrib.framework.load_checkpoint": "train.load_checkpoint",
    "contrib.framework.load_variable": "train.load_variable",
    "contrib.framework.nest": "nest",
    "contrib.framework.py_func": "py_func",
    "contrib.framework.sort": "sort",
    "contrib.rnn.BasicLSTMCell": "nn.rnn_cell.BasicLSTMCell",
    "contrib.rnn.BasicRNNCell": "nn.rnn_cell.BasicRNNCell",
    "contrib.lookup.FastHashSpec": "python.ops.lookup_ops.FastHashSpec",
    "contrib.lookup.HasherSpec": "python.ops.lookup_ops.HasherSpec",
    "contrib.lookup.IdTableWithHashBuckets": "python.ops.lookup_ops.IdTableWithHashBuckets",
    "contrib.lookup.KeyValueTensorInitializer": "python.ops.lookup_ops.KeyValueTensorInitializer",
    "contrib.lookup.StrongHashSpec": "python.ops.lookup_ops.StrongHashSpec",
    "contrib.lookup.TextFileIdTableInitializer": "python.ops.lookup_ops.TextFileIdTableInitializer",
    "contrib.lookup.TextFileIndex": "python.ops.lookup_ops.TextFileIndex",
    "contrib.lookup.TextFileInitializer": "python.ops.lookup_ops.TextFileInitializer",
    "contrib.lookup.TextFileStringTableInitializer": (
        "python.ops.lookup_ops.TextFileStringTableInitializer"
    ),
    "contrib.lookup.index_table_from_file": "python.ops.lookup_ops.index_table_from_file",
    "contrib.lookup.index_to_string_table_from_file": (
        "python.ops.lookup_ops.index_to_string_table_from_file"
    ),
    "contrib.rnn.DropoutWrapper": "nn.rnn_cell.DropoutWrapper",
    "contrib.rnn.GRUCell": "nn.rnn_cell.GRUCell",
    "contrib.rnn.LSTMCell": "nn.rnn_cell.LSTMCell",
    "contrib.rnn.LSTMStateTuple": "nn.rnn_cell.LSTMStateTuple",
    "contrib.rnn.MultiRNNCell": "nn.rnn_cell.MultiRNNCell",
    "contrib.rnn.RNNCell": "nn.rnn_cell.RNNCell",
    "contrib.rnn.ResidualWrapper": "nn.rnn_cell.ResidualWrapper",
    "contrib.rnn.static_bidirectional_rnn": "nn.static_bidirectional_rnn",
    "contrib.rnn.static_rnn": "nn.static_rnn",
    "contrib.rnn.static_state_saving_rnn": "nn.static_state_saving_rnn",
    "pywrap_tensorflow": "python.pywrap_tensorflow",
    "python.pywrap_tensorflow.NewCheckpointReader": "train.NewCheckpointReader",
    "python.framework.graph_util.convert_variables_to_constants": (
        "graph_util.convert_variables_to_constants"
    ),
    "python.framework.ops.Tensor": "Tensor",
    "python.ops.array_ops.stack": "stack",
    "python.ops.array_ops.unstack": "unstack",
    "python.ops.control_flow_ops.Assert": "Assert",
    "python.ops.control_flow_ops.case": "case",
    "python.ops.control_flow_ops.cond": "cond",
    "python.ops.control_flow_ops.while_loop": "while_loop",
    "python.ops.gen_user_ops": "python.user_ops.ops.gen_user_ops",
    "python.ops.random_ops.random_crop": "random_crop",
    "python.ops.variables.VariableV1": "Variable",
    "python.training.training_ops": "python.ops.gen_training_ops",
    "python.training.gen_training_ops": "python.ops.gen_training_ops",
}

# Where TF1 had it: where a package of others has it, if that is installed (the extra `legacy`).
PACKAGES: dict[str, str] = {
    "contrib.framework": "tf_slim",
    "contrib.framework.python.framework": "tf_slim",
    "contrib.framework.python.ops": "tf_slim.ops",
    "contrib.layers": "tf_slim.layers",
    "contrib.layers.python.layers": "tf_slim.layers",
    "contrib.losses": "tf_slim.losses",
    "contrib.metrics": "tf_slim.metrics",
    "contrib.slim": "tf_slim",
    "contrib.slim.python.slim": "tf_slim",
}

# Modules that TensorFlow makes of Keras when they are used: they do not say that they are its own.
LAZY_MODULES = ("layers", "nn.rnn_cell")


def remedy(dotted: str) -> str | None:
    """The row of `GONE` for a name or, if it has none, for the nearest name above it.

    >>> remedy("contrib.summary.scalar")
    'use tf.compat.v2.summary'
    """
    while dotted:
        if dotted in GONE:
            return GONE[dotted]
        dotted = dotted.rpartition(".")[0]
    return None


def message(dotted: str, hint: str = "") -> str | None:
    """The text of the error for a name that is gone; None if TF1 did not have it either.

    Args:
      dotted: the name that was looked up, without `tensorflow.`.
      hint: the line of source, or the whole names, that were asked for. In
        `tf.contrib.layers.flatten` Python looks up `contrib` first, but the advice differs by part.

    >>> message("contrib", "tf.contrib.summary.scalar('loss', loss)")
    'tensorflow.contrib.summary.scalar is not in TensorFlow 2: use tf.compat.v2.summary'
    >>> message("train.no_such_thing") is None
    True
    """
    if remedy(dotted) is None:
        return None
    longer = re.search(rf"\b{re.escape(dotted)}((\.\w+)+|\s+import\s+\w+)", hint)
    if longer:
        dotted = re.sub(r"\s+import\s+", ".", longer.group())
    return f"tensorflow.{dotted} is not in TensorFlow 2: {remedy(dotted)}"
