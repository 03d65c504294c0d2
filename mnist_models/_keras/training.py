"""A network trained from the start to its best epoch."""

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_models._keras.answers import answer
from mnist_models._keras.epochs import Trainer, compile_as_usual
from mnist_models._keras.networks import Kept, Network, Own, has_filters, make_of, twin_of
from mnist_models._keras.waking import seeded, xla_refusals
from mnist_models._network.batches import TrainingRows, ahead, gathered, learning_rates
from mnist_models._network.warp import Warp
from mnist_models._quiet import without_log_messages
from mnist_models._ticks import tell

# Steps below which compiling with XLA takes longer, a second or so, than it saves.
_WORTH_FUSING = 200

# Trainers, each with its weights and compiled code: as many as a large grid has architectures.
_kept = Kept(16)


class Course(NamedTuple):
    """How to train; each as ``SequentialClassifier`` has it."""

    learning_rate: float
    schedule: str
    batch_size: int
    epochs: int
    patience: int
    min_delta: float
    average: float
    warp: Warp | None
    callbacks: Callable[[], Sequence[Any]] | None
    verbose: int


class Trained(NamedTuple):
    """A Keras model, its history by epoch, and the epoch whose weights it has."""

    model: Any
    history: dict[str, list[float]]
    best_epoch: int


def train(network: Network, rows: TrainingRows, course: Course, seed: int) -> Trained:
    """Build a network and train it."""
    with seeded(seed):
        model = network.build()
    # every new network is traced, which TensorFlow takes for a mistake
    with without_log_messages("tensorflow", "triggered tf.function retracing"):
        _check_answers(model, rows.X[:1], int(rows.codes.max()) + 1)
        reason = _keras_is_to_train(model)
        if reason:
            _say(course, f"{reason}: Keras's own fit trains it")
            told, stopping = _train_by_keras(model, rows, course)
        else:
            told, stopping = _train_compiled(network, model, rows, course, seed)
    history = {name: [float(value) for value in values] for name, values in told.items()}
    if not np.isfinite(answer(network, model, rows.X[:1])).all():
        raise ValueError(
            "The training diverged: the network's answers are not finite. Lower learning_rate, "
            "or standardize X (make_model does)."
        )
    best = stopping.best_epoch if stopping else len(history["loss"]) - 1
    return Trained(model, history, best)


# -- compiled: many batches in one call ------------------------------------------------------------


def _train_compiled(
    network: Network, model: Any, rows: TrainingRows, course: Course, seed: int
) -> tuple[dict[str, list[float]], Any]:
    compile_as_usual(model, course.learning_rate)
    initial = [variable.numpy().copy() for variable in model.variables]
    n_steps = course.epochs * -(-int((~rows.held_out).sum()) // course.batch_size)
    if has_filters(model):
        _say(course, "XLA is slow at convolutions: they run in TensorFlow's own functions")
    elif n_steps < _WORTH_FUSING:
        _say(course, f"{n_steps} steps are too few for XLA to be worth compiling them")
    else:
        try:
            return _run(network, model, rows, course, seed, fused=True)
        except xla_refusals() as error:
            _say(course, f"XLA refuses the network, TensorFlow's own functions train it: {error}")
            for variable, value in zip(model.variables, initial, strict=True):
                variable.assign(value)
    return _run(network, model, rows, course, seed, fused=False)


def _run(
    network: Network, model: Any, rows: TrainingRows, course: Course, seed: int, *, fused: bool
) -> tuple[dict[str, list[float]], Any]:
    """Every epoch; the history, and the callback that stopped early, if any rows are held out."""
    kept, held_out = np.flatnonzero(~rows.held_out), np.flatnonzero(rows.held_out)
    rng = np.random.default_rng(seed)
    # no more than the rows fill, by powers of 2: few sizes are compiled
    size = min(course.batch_size, 1 << (len(kept) - 1).bit_length())
    n_batches = -(-len(kept) // size)
    rates = learning_rates(course.learning_rate, course.schedule, course.epochs * n_batches)
    with _trainer(network, model, course, size, fused) as trainer:
        callbacks, history, stopping = _callbacks(trainer.net, course, n_batches, len(held_out))
        read = partial(course.warp.read, rng=rng) if course.warp else operator.getitem
        callbacks.on_train_begin()
        for epoch in range(course.epochs):
            callbacks.on_epoch_begin(epoch)
            coming = rates[epoch * n_batches :][:n_batches]
            if course.schedule == "constant":  # unless a callback has changed it
                coming[:] = float(trainer.net.optimizer.learning_rate.numpy())
            order = rng.permutation(kept)
            logs = trainer.train(
                ahead(gathered(rows, order, size, coming, read)),
                lambda done, logs: callbacks.on_train_batch_end(done - 1, logs),
            )
            if len(held_out):
                measured = trainer.measure(ahead(gathered(rows, held_out, size, coming)))
                logs |= {f"val_{name}": value for name, value in measured.items()}
            callbacks.on_epoch_end(epoch, logs)
            if trainer.net.stop_training:
                break
        callbacks.on_train_end()
    return history.history, stopping


def _callbacks(net: Any, course: Course, n_batches: int, n_held_out: int) -> tuple[Any, Any, Any]:
    import keras

    stopping = _early_stopping(course, "val_cross_entropy") if n_held_out else None
    history = keras.callbacks.History()
    own = course.callbacks() if course.callbacks else []
    callbacks = keras.callbacks.CallbackList(
        [*own, *([stopping] if stopping else []), history, _teller(course)],
        add_progbar=course.verbose > 0,
        model=net,
        verbose=course.verbose,
        epochs=course.epochs,
        steps=n_batches,
    )
    return callbacks, history, stopping


@contextmanager
def _trainer(
    network: Network, model: Any, course: Course, batch_size: int, fused: bool
) -> Iterator[Trainer]:
    """A trainer of the model: its own, or one that trained another of the same make before.

    Tracing and compiling take longer than a small network's training, and TensorFlow never gives
    the memory back. So networks that differ only in numbers are trained in one place: their
    weights are taken there, and brought back.
    """
    how = (batch_size, course.average, fused)
    # callbacks are shown the model that the caller gets, and may change whatever it is made of
    make = None if course.callbacks else make_of(network, model)
    if make is None:
        trainer = Trainer(model, *how)
        trainer.start(course.learning_rate)
        yield trainer
        return
    trainer = _kept.take((make, *how)) or Trainer(twin_of(network, model), *how)
    for there, here in zip(trainer.net.variables, model.variables, strict=True):
        there.assign(here)
    trainer.start(course.learning_rate, penalty=1.0 if isinstance(network, Own) else network.l2)
    yield trainer
    for there, here in zip(trainer.net.variables, model.variables, strict=True):
        here.assign(there)
    _kept.put((make, *how), trainer)


# -- by Keras's own fit ----------------------------------------------------------------------------


def _keras_is_to_train(model: Any) -> str | None:
    """Why a network asks for training of its own kind, if it does."""
    import keras

    if model.compiled:
        return "the network came compiled"
    steps = ("train_step", "test_step", "compute_loss")
    if any(getattr(type(model), step) is not getattr(keras.Model, step) for step in steps):
        return "the network has steps of its own"
    if any(layer.compute_dtype == "float16" for layer in model.layers):
        return "the network works in half precision, whose loss needs scaling"
    return None


def _train_by_keras(
    model: Any, rows: TrainingRows, course: Course
) -> tuple[dict[str, list[float]], Any]:
    """Train a network as Keras does, step by step; one that came compiled, as it asks for."""
    monitor = "val_loss"
    if not model.compiled:
        compile_as_usual(model, course.learning_rate)
        monitor = "val_cross_entropy"
    kept, held_out = ~rows.held_out, rows.held_out
    validation = stopping = None
    if held_out.any():
        validation = (rows.X[held_out], rows.codes[held_out], rows.weight[held_out])
        stopping = _early_stopping(course, monitor)
    own = course.callbacks() if course.callbacks else []
    told = model.fit(
        rows.X[kept],
        rows.codes[kept],
        sample_weight=rows.weight[kept],
        validation_data=validation,
        batch_size=course.batch_size,
        epochs=course.epochs,
        callbacks=[*own, *([stopping] if stopping else []), _teller(course)],
        verbose=course.verbose,
    )
    return told.history, stopping


# -- what both do ----------------------------------------------------------------------------------


def _early_stopping(course: Course, monitor: str) -> Any:
    """Made for each training: an instance remembers its last."""
    import keras

    return keras.callbacks.EarlyStopping(
        # without the L2 penalty where that is known, which falls when the answers have been best
        monitor=monitor,
        mode="min",
        patience=course.patience,
        min_delta=course.min_delta,
        restore_best_weights=True,
    )


def _teller(course: Course) -> Any:
    """Says after each epoch how many are done."""
    import keras

    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: tell(epoch + 1, course.epochs)
    )


def _check_answers(model: Any, X: NDArray[Any], n_classes: int) -> None:
    """Raise ValueError if the network's answers are no probabilities of the classes."""
    found = np.asarray(model(X.astype(np.float32), training=False)).astype(np.float32)
    # 8 bits of a bfloat16 may add up to that little
    if found.shape != (1, n_classes) or found.min() < 0 or abs(found.sum() - 1) > 2e-2:
        raise ValueError(
            f"build_fn must build a network that answers one row with {n_classes} probabilities, "
            f"as a softmax layer does. Got {found!r} instead."
        )


def _say(course: Course, words: str) -> None:
    if course.verbose:
        print(f"SequentialClassifier: {words}.")
