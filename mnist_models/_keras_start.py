"""TensorFlow started quietly, and Keras seeded without disturbing anybody else's random numbers."""

import contextlib
import os
import random
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

# A line of Google's C++ logging below "fatal": severity and date, then time, thread and source.
# Two sentences are what TensorFlow writes around such lines while it starts, and two are those of
# Matplotlib, which Keras imports, where the home folder cannot be written.
_CHATTER = re.compile(
    rb"[IWE]\d{4} \d\d:\d\d:|[IWE]0000 00:00:|20\d\d-\d\d-\d\d .*: [IWE] "
    rb"|WARNING: All log messages before absl::InitializeLog"
    rb"|To enable the following instructions:"
    rb"|mkdir -p failed for path |Matplotlib created a temporary cache directory at "
)
_STDERR = 2
# Two threads that redirect standard error at once could restore each other's redirection.
_STARTING = threading.Lock()
# Keras draws initial weights from global generators, which all threads share.
_DRAWING = threading.RLock()
_started_in: int | None = None  # the id of the process that TensorFlow was started in


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Hold back the process's standard error, then pass on all but native log lines.

    While it loads, TensorFlow writes to file descriptor 2 (no GPU was found, faster builds exist),
    whatever the settings of Python's logging. Its only switch, ``TF_CPP_MIN_LOG_LEVEL``, would hide
    its errors for the rest of the process too; if the user has set it, nothing is held back. Output
    of other threads is delayed, not lost.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ or sys.stderr is None:  # None: closed, as in services
        yield
        return
    with _STARTING, tempfile.TemporaryFile() as held:
        saved = os.dup(_STDERR)
        try:
            sys.stderr.flush()
            os.dup2(held.fileno(), _STDERR)
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, _STDERR)
            os.close(saved)
            held.seek(0)
            for line in held:
                if not _CHATTER.match(line):
                    os.write(_STDERR, line)


def start_keras() -> Any:
    """Start TensorFlow's devices, once per process, and return the module ``keras``.

    Raises
    ------
    RuntimeError
        If this process was forked from one that had started TensorFlow: it would hang.
    """
    global _started_in
    if not in_reach():
        raise RuntimeError(
            "TensorFlow was started before this process was forked, and would hang in it. Start "
            "processes afresh: with joblib's default backend 'loky' instead of 'multiprocessing', "
            "or with the start method 'spawn'."
        )
    import keras
    import tensorflow as tf

    if _started_in is None:
        with quiet_start():
            tf.config.list_logical_devices()
            with contextlib.suppress(tf.errors.OpError):  # starts XLA, if it is available
                tf.function(tf.nn.softmax, jit_compile=True)(tf.zeros((1, 2)))
        _started_in = os.getpid()
    return keras


def in_reach() -> bool:
    """Whether TensorFlow can be used in this process: it does not survive a fork."""
    return _started_in in (None, os.getpid())


@contextlib.contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Seed Keras for the block, unless the seed is None, and restore the generators after it.

    TensorFlow's op determinism is not switched on: it slows down the whole process.
    """
    from scikeras.utils.random_state import tf_get_seed, tf_set_seed

    with layers_seeded(seed):
        if seed is None:
            yield
            return
        import keras

        before = tf_get_seed()
        try:
            keras.utils.set_random_seed(seed)
            yield
        finally:
            tf_set_seed(before)


@contextlib.contextmanager
def layers_seeded(seed: int | None) -> Iterator[None]:
    """The same for Keras's own layers, which take their seeds from Python's generator.

    Setting TensorFlow's seed makes it forget the functions that it has prepared, which then takes
    half of a small fit.
    """
    start_keras()
    if seed is None:
        yield
        return
    with generators_kept():
        random.seed(seed)
        yield


@contextlib.contextmanager
def generators_kept() -> Iterator[None]:
    """Restore the states of Python's and NumPy's generators afterwards; one thread at a time."""
    with _DRAWING:
        python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002
