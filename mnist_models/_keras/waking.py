"""Importing Keras and starting TensorFlow quietly; seeding them."""

import contextlib
import os
import random
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from mnist_models._quiet import without_log_messages, without_native_chatter

# Two threads that redirect standard error at once could restore each other's redirection.
_WAKING = threading.Lock()
_awake_in: int | None = None  # the id of the process that TensorFlow was started in
# Messages of matplotlib, which Keras imports, if the home folder is not writable. No fit needs it.
_NO_HOME = ("mkdir -p failed", "temporary cache directory")
# Keras draws initial weights from global generators, which all threads share.
_DRAWING = threading.RLock()


def load_keras() -> Any:
    """Import Keras and start TensorFlow, without TensorFlow's log lines.

    They are shown if the user has set ``TF_CPP_MIN_LOG_LEVEL``, at the level chosen by it.

    Returns
    -------
    module
        ``keras``.

    Raises
    ------
    RuntimeError
        If this process was forked from one that had started TensorFlow: it would hang.
    """
    if not in_reach():
        raise RuntimeError(
            "TensorFlow was started before this process was forked, and would hang in it. Start "
            "processes afresh: with joblib's default backend 'loky' instead of 'multiprocessing', "
            "or with the start method 'spawn'."
        )
    with _WAKING:
        _wake()
    import keras

    return keras


def in_reach() -> bool:
    """Whether TensorFlow can be used in this process: it does not survive a fork."""
    return _awake_in in (None, os.getpid())


def _wake() -> None:
    """Import Keras and start TensorFlow, once per process."""
    global _awake_in
    if _awake_in is not None:
        return
    with contextlib.ExitStack() as stack:
        if "TF_CPP_MIN_LOG_LEVEL" not in os.environ:
            stack.enter_context(without_native_chatter())
        for words in _NO_HOME:
            stack.enter_context(without_log_messages("matplotlib", words))
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_logical_devices()  # starts the devices
        with contextlib.suppress(*xla_refusals()):  # starts XLA, if it is available
            tf.function(tf.nn.softmax, jit_compile=True)(tf.zeros((1, 2)))
    _awake_in = os.getpid()


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Keras for the block; restore the states of Python's and NumPy's generators after it."""
    keras = load_keras()
    with generators_kept():
        keras.utils.set_random_seed(seed)
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


def xla_refusals() -> tuple[type[Exception], ...]:
    """The errors that TensorFlow raises if XLA cannot compile a function."""
    import tensorflow as tf

    return tf.errors.InvalidArgumentError, tf.errors.UnimplementedError
