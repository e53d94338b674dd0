"""`tfprefetch-compat run`: an unmodified TF1 script, with its input on tf.data.

    tfprefetch-compat run train.py --batch_size=32
    tfprefetch-compat run --engine=queues --stats stats.json train.py --batch_size=32

Whatever follows SCRIPT is the script's own, also where it looks like a flag of this command.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import compat.v1 as tf
from compat.contrib.packages import is_installed
from compat.report import Report
from compat.run import imports, script, stats
from compat.settings import settings
from tfprefetch.device import find_device

PROGRAM = "tfprefetch-compat"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status, which is the script's.

    Args:
      arguments: what follows the command's name; by default this process's.

    Raises:
      SystemExit: the script called `sys.exit`, or (status 2) the command line is wrong.
    """
    options = _parser().parse_args(arguments)
    path, *script_arguments = options.script
    try:
        code = script.load(path)
    except script.NotAScriptError as error:
        return _fail(str(error))
    except SyntaxError as error:
        return script.report_exception(PROGRAM, error)
    if options.device not in ("auto", "cpu"):
        try:
            find_device(options.device)
        except ValueError as error:
            return _fail(f"--device: {error}")
    if options.stats is not None:
        report = Report()
        try:
            stats.write_at_exit(report, options.stats)
        except OSError as error:
            return _fail(f"--stats: cannot write {options.stats}: {error.strerror}")
        settings.report = report
    if is_installed("tf_keras"):
        # TensorFlow looks when Keras is first used. TF1 had Keras 2, and tf.layers are made of it.
        os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    settings.engine = options.engine
    settings.strict = options.strict
    settings.device = options.device
    settings.vectorize = "auto" if options.vectorize == "auto" else False
    imports.install(tf)
    return script.run(PROGRAM, code, path, script_arguments)


def _fail(text: str) -> int:
    print(f"{PROGRAM}: {text}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, allow_abbrev=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    run = commands.add_parser(
        "run",
        help="run a TF1 script as it is, with its input on tf.data",
        usage=(
            f"{PROGRAM} run [--engine=datasets|queues] [--vectorize=auto|never] "
            "[--device=auto|cpu|DEVICE] [--strict] [--stats FILE] SCRIPT [ARGS]"
        ),
        allow_abbrev=False,
    )
    run.add_argument(
        "--engine",
        choices=("datasets", "queues"),
        default="datasets",
        help="what delivers the input: tf.data (the default) or TensorFlow's own queues",
    )
    run.add_argument(
        "--vectorize",
        choices=("auto", "never"),
        default="auto",
        help="whether preprocessing runs on whole batches where that gives the same result",
    )
    run.add_argument(
        "--device",
        default="auto",
        help="where batches are delivered: on the first GPU if there is one (auto), in the host's "
        "memory as in TensorFlow 1 (cpu), or on a device such as GPU:1",
    )
    run.add_argument(
        "--strict",
        action="store_true",
        help="end with an error where a pipeline would fall back to a queue",
    )
    run.add_argument(
        "--stats",
        type=os.path.abspath,  # the script may change the directory
        metavar="FILE",
        help="write engine, stages and elements of each pipeline to FILE, as JSON",
    )
    run.add_argument(
        "script",
        nargs=argparse.PARSER,  # the first one, and all that follows whatever it looks like
        metavar="SCRIPT [ARGS]",
        help="the script and its own arguments",
    )
    return parser
