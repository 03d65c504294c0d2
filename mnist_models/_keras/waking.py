"""Keras, woken quietly, and its seeds."""

import contextlib
import os
import random
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from mnist_models._quiet import without_log_messages, without_native_chatter

# Two threads that held standard error back at once could put each other's substitute in its place.
_WAKING = threading.Lock()
_awake_in: int | None = None  # which process TensorFlow was started in
# What matplotlib, which Keras loads and no fit uses, says where the home folder cannot be written.
_NO_HOME = ("mkdir -p failed", "temporary cache directory")
# Keras draws initial weights from generators that all threads share.
_DRAWING = threading.RLock()


def load_keras() -> Any:
    """Import Keras, and wake TensorFlow, without the lines that it writes when it starts.

    Whoever has set ``TF_CPP_MIN_LOG_LEVEL`` has chosen what to see, and sees it.

    Raises
    ------
    RuntimeError
        If this process was forked from one where TensorFlow was at work: it would hang.
    """
    if not in_reach():
        raise RuntimeError(
            "TensorFlow was started in the process that this one was forked from, and would wait "
            "for ever in this one. Let processes begin anew: by joblib's backend 'loky', which is "
            "its default, in place of 'multiprocessing', or by the start method 'spawn'."
        )
    with _WAKING:
        _wake()
    import keras

    return keras


def in_reach() -> bool:
    """Whether TensorFlow can be used in this process: it does not survive a fork."""
    return _awake_in in (None, os.getpid())


def _wake() -> None:
    """Start Keras and TensorFlow, once a process."""
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

        tf.config.list_logical_devices()  # looking for devices is a part of the start
        with contextlib.suppress(*xla_refusals()):  # XLA's start, where there is one
            tf.function(tf.nn.softmax, jit_compile=True)(tf.zeros((1, 2)))
    _awake_in = os.getpid()


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Keras, and give Python's and NumPy's generators back as they were."""
    keras = load_keras()
    with generators_kept():
        keras.utils.set_random_seed(seed)
        yield


@contextlib.contextmanager
def generators_kept() -> Iterator[None]:
    """Give Python's and NumPy's generators back as they were; one thread at a time."""
    with _DRAWING:
        python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002


def xla_refusals() -> tuple[type[Exception], ...]:
    """What TensorFlow raises when XLA cannot compile a function."""
    import tensorflow as tf

    return tf.errors.InvalidArgumentError, tf.errors.UnimplementedError
