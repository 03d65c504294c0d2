"""Keras, woken quietly, and its seeds.

The files whose names begin with ``_keras`` are the only ones that touch keras or tensorflow,
and only inside functions.
"""

import contextlib
import functools
import os
import random
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from mnist_models._quiet import without_native_chatter

# Two threads that held standard error back at once could put each other's substitute in its place.
_WAKING = threading.Lock()
# Keras draws initial weights from generators that all threads share.
_DRAWING = threading.RLock()


def load_keras() -> Any:
    """Import Keras, and wake TensorFlow, without the lines that it writes when it starts.

    Whoever has set ``TF_CPP_MIN_LOG_LEVEL`` has chosen what to see, and sees it.
    """
    with _WAKING:
        _wake()
    import keras

    return keras


@functools.cache
def _wake() -> None:
    with contextlib.ExitStack() as stack:
        if "TF_CPP_MIN_LOG_LEVEL" not in os.environ:
            stack.enter_context(without_native_chatter())
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_logical_devices()  # looking for devices is a part of the start
        with contextlib.suppress(*xla_refusals()):  # XLA's start, where there is one
            tf.function(tf.nn.softmax, jit_compile=True)(tf.zeros((1, 2)))


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
