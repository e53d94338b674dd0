"""What became of names that TF1's `tensorflow` had and TensorFlow 2's `compat.v1` lacks.

`GONE` is the one table of remedies: a name, without its leading `tensorflow.`, and what to do
about it; a row speaks for every name below it that has no row of its own. `MOVED` lists the names
that still exist somewhere else: those just work.

>>> print(message("contrib.slim.nets"))
tensorflow.contrib.slim.nets is not in TensorFlow 2: `pip install tf_slim`, then `import ...
"""

from __future__ import annotations

import re

_SLIM = "`pip install tf_slim`, then `import tf_slim as slim`"
_KERAS_2 = (
    "TensorFlow takes it from Keras, and Keras 3 dropped it: `pip install tf_keras`, and set "
    "TF_USE_LEGACY_KERAS=1 in the environment before TensorFlow is imported"
)
_MNIST = (
    "the tutorials are no longer shipped: `tf.keras.datasets.mnist.load_data()` returns the same "
    "images and labels as arrays"
)

GONE: dict[str, str] = {
    # contrib: projects of others, dissolved in TensorFlow 2.0.
    "contrib": "it was dissolved in TensorFlow 2.0. slim, layers, framework and training are in "
    "tf_slim (`pip install tf_slim`); of the rest, most is in tf itself (contrib.data in tf.data, "
    "contrib.lookup in tf.lookup …)",
    "contrib.autograph": "use tf.autograph",
    "contrib.checkpoint": "use tf.train.Checkpoint",
    "contrib.cluster_resolver": "use tf.distribute.cluster_resolver",
    "contrib.crf": "it has no successor in TensorFlow; `pip install tensorflow_addons` has it for "
    "TensorFlow up to 2.14",
    "contrib.cudnn_rnn": "use tf.keras.layers.LSTM or GRU, which use cuDNN by themselves",
    "contrib.data": "its functions are methods of tf.data.Dataset or in tf.data.experimental",
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
    "contrib.framework": f"{_SLIM}: `arg_scope`, `get_variables` and others are slim's",
    "contrib.framework.get_or_create_global_step": "use tf.train.get_or_create_global_step",
    "contrib.framework.list_variables": "use tf.train.list_variables",
    "contrib.framework.load_variable": "use tf.train.load_variable",
    "contrib.framework.nest": "use tf.nest",
    "contrib.image": "use tf.image; for projective transforms, "
    "tf.raw_ops.ImageProjectiveTransformV3",
    "contrib.keras": "use tf.keras",
    "contrib.layers": f"{_SLIM}: `slim.fully_connected`, `slim.conv2d` and the others",
    "contrib.layers.l1_regularizer": f"{_SLIM}: `slim.l1_regularizer`",
    "contrib.layers.l2_regularizer": f"{_SLIM}: `slim.l2_regularizer`",
    "contrib.layers.variance_scaling_initializer": "use tf.variance_scaling_initializer(scale=2.0)",
    "contrib.layers.xavier_initializer": "use tf.glorot_uniform_initializer",
    "contrib.layers.xavier_initializer_conv2d": "use tf.glorot_uniform_initializer",
    "contrib.learn": "it was removed with the Estimators: write the loop with "
    "tf.train.MonitoredTrainingSession; for its input functions use tf.train.string_input_producer "
    "and tf.train.batch",
    "contrib.learn.datasets": "scikit-learn and tf.keras.datasets have the classic data sets",
    "contrib.learn.datasets.mnist": _MNIST,
    "contrib.learn.python.learn.datasets": "scikit-learn and tf.keras.datasets have them",
    "contrib.learn.python.learn.datasets.mnist": _MNIST,
    "contrib.legacy_seq2seq": "it has no successor: use tf.nn.dynamic_rnn or tf.keras.layers",
    "contrib.lite": "use tf.lite",
    "contrib.lookup": "use tf.lookup",
    "contrib.lookup.HashTable": "use tf.lookup.StaticHashTable",
    "contrib.lookup.index_table_from_file": "use tf.lookup.StaticVocabularyTable over a "
    "tf.lookup.TextFileInitializer",
    "contrib.lookup.index_table_from_tensor": "use tf.lookup.StaticVocabularyTable over a "
    "tf.lookup.KeyValueTensorInitializer",
    "contrib.losses": "use tf.losses",
    "contrib.metrics": "use tf.metrics: `streaming_accuracy` is tf.metrics.accuracy, and so on",
    "contrib.opt": "use the optimizers in tf.train, or `pip install tf_keras` for more of them",
    "contrib.quantize": "`pip install tensorflow_model_optimization`",
    "contrib.rnn": "the cells are in tf.nn.rnn_cell, the loops are tf.nn.static_rnn and "
    "tf.nn.dynamic_rnn. For the cells: " + _KERAS_2,
    "contrib.rnn.static_bidirectional_rnn": "use tf.nn.static_bidirectional_rnn",
    "contrib.rnn.static_rnn": "use tf.nn.static_rnn",
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
    "contrib.training": f"{_SLIM}: `slim.training`",
    "contrib.training.HParams": "it has no successor: use types.SimpleNamespace or a dataclass",
    "contrib.training.bucket_by_sequence_length": "use tf.data.Dataset.bucket_by_sequence_length",
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

# Where TF1 had it: where it is now; both are names under `tensorflow`. Only names that TF1's
# scripts use though they are not public: TensorFlow 2 keeps its public ones in place.
MOVED: dict[str, str] = {
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

# Modules that TensorFlow makes of Keras when they are used: they do not say that they are its own.
LAZY_MODULES = ("layers", "nn.rnn_cell")


def remedy(dotted: str) -> str | None:
    """The row of `GONE` for a name or, if it has none, for the nearest name above it.

    >>> remedy("contrib.rnn.static_rnn")
    'use tf.nn.static_rnn'
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

    >>> message("contrib", "x = tf.contrib.rnn.static_rnn(cell, x)")
    'tensorflow.contrib.rnn.static_rnn is not in TensorFlow 2: use tf.nn.static_rnn'
    >>> message("train.no_such_thing") is None
    True
    """
    if remedy(dotted) is None:
        return None
    longer = re.search(rf"\b{re.escape(dotted)}((\.\w+)+|\s+import\s+\w+)", hint)
    if longer:
        dotted = re.sub(r"\s+import\s+", ".", longer.group())
    return f"tensorflow.{dotted} is not in TensorFlow 2: {remedy(dotted)}"
