"""`describe` for the tests."""

from __future__ import annotations

import tensorflow as tf

import tfprefetch

ADVICE = "  tfprefetch.map_and_batch runs it on whole batches where that gives the same result"


def lines(dataset):
    """The lines, with one space in front of the specs."""
    text = tfprefetch.describe(dataset)
    indents = [line[: len(line) - len(line.lstrip())] for line in text.splitlines()]
    return [
        indent + " ".join(line.split())
        for indent, line in zip(indents, text.splitlines(), strict=True)
    ]


def last_line(dataset):
    return lines(dataset)[-1]


def scale(image, label):
    return tf.cast(image, tf.float32) / 255.0, label


def identity(*element):
    return element[0] if len(element) == 1 else element
