"""TensorFlow 1's `tensorflow`, on TensorFlow 2, with the input API on tf.data.

    import compat.v1 as tf

    tf.disable_v2_behavior()
    names = tf.train.string_input_producer(["a.csv", "b.csv"], num_epochs=1)
    key, line = tf.TextLineReader().read(names)

It is all of `tensorflow.compat.v1`; only what `compat.registry` lists is replaced. Importing it
changes nothing in TensorFlow. Its submodules can be imported like those of TF1's `tensorflow`
(`from compat.v1.train import batch`).
"""

from __future__ import annotations

import sys

from tensorflow.compat import v1

from compat.facade import Facade, SubmoduleFinder
from compat.registry import ADDITIONS, REPLACEMENTS

_facade = Facade(v1, REPLACEMENTS, name=__name__, additions=ADDITIONS)
_facade.__spec__ = __spec__
_facade.__loader__ = __loader__
_facade.__package__ = __package__
_facade.__path__ = __path__
# First, because other finders would load a second copy of TensorFlow's files under our names.
sys.meta_path.insert(0, SubmoduleFinder(_facade))
# The import system hands out what stands in sys.modules once this file has run.
sys.modules[__name__] = _facade
