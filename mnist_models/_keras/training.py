"""Train a new network, and return it as it was in its best epoch."""

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_models._keras.answers import answer
from mnist_models._keras.epochs import Trainer, compile_as_usual
from mnist_models._keras.networks import Network, Own, Pool, compile_key, has_convolutions, twin_of
from mnist_models._keras.waking import seeded, xla_refusals
from mnist_models._network.batches import TrainingRows, gathered, learning_rates, prefetched
from mnist_models._network.warp import Warp
from mnist_models._quiet import without_log_messages
from mnist_models._ticks import tell

# For fewer steps, compiling with XLA (about a second) takes longer than it saves.
_WORTH_FUSING = 200

# The trainers used last, with their compiled code: as many as a large grid has architectures.
_trainers = Pool(16)


class TrainingOptions(NamedTuple):
    """How to train; for the fields see the parameters of ``SequentialClassifier``."""

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
    """A trained Keras model, its history by epoch, and the index of the epoch it comes from."""

    model: Any
    history: dict[str, list[float]]
    best_epoch: int


def train(network: Network, rows: TrainingRows, options: TrainingOptions, seed: int) -> Trained:
    """Build a network and train it.

    Parameters
    ----------
    network : Network
    rows : TrainingRows
        Early stopping watches the rows held out, if there are any.
    options : TrainingOptions
    seed : int
        Seeds the initial weights, dropout, the order of the rows and their warps.

    Returns
    -------
    Trained

    Raises
    ------
    TypeError, ValueError
        If ``build_fn`` does not build a suitable network, or the training diverges.
    """
    with seeded(seed):
        model = network.build()
    # TensorFlow warns that functions are traced often, as they must be for each new network
    with without_log_messages("tensorflow", "triggered tf.function retracing"):
        _check_answers(model, rows.X[:1], int(rows.codes.max()) + 1)
        reason = _reason_for_keras_fit(model)
        if reason:
            _log(options, f"{reason}: Keras's own fit trains it")
            logs, stopping = _train_by_keras(model, rows, options)
        else:
            logs, stopping = _train_compiled(network, model, rows, options, seed)
    history = {name: [float(value) for value in values] for name, values in logs.items()}
    if not np.isfinite(answer(network, model, rows.X[:1])).all():
        raise ValueError(
            "The training diverged: the network's probabilities are not finite. Lower "
            "learning_rate, or standardize X (make_model does)."
        )
    best = stopping.best_epoch if stopping else len(history["loss"]) - 1
    return Trained(model, history, best)


# -- compiled: many batches in one call ------------------------------------------------------------


def _train_compiled(
    network: Network, model: Any, rows: TrainingRows, options: TrainingOptions, seed: int
) -> tuple[dict[str, list[float]], Any]:
    compile_as_usual(model, options.learning_rate)
    initial = [variable.numpy().copy() for variable in model.variables]
    n_steps = options.epochs * -(-int((~rows.held_out).sum()) // options.batch_size)
    if has_convolutions(model):
        _log(options, "XLA is slow at convolutions: they run in TensorFlow's own functions")
    elif n_steps < _WORTH_FUSING:
        _log(options, f"{n_steps} steps are too few for XLA to be worth compiling them")
    else:
        try:
            return _train_epochs(network, model, rows, options, seed, fused=True)
        except xla_refusals() as error:
            _log(options, f"XLA refuses the network, TensorFlow's own functions train it: {error}")
            for variable, value in zip(model.variables, initial, strict=True):
                variable.assign(value)
    return _train_epochs(network, model, rows, options, seed, fused=False)


def _train_epochs(
    network: Network,
    model: Any,
    rows: TrainingRows,
    options: TrainingOptions,
    seed: int,
    *,
    fused: bool,
) -> tuple[dict[str, list[float]], Any]:
    """Train all epochs; return the history, and the early stopping if rows are held out."""
    kept, held_out = np.flatnonzero(~rows.held_out), np.flatnonzero(rows.held_out)
    rng = np.random.default_rng(seed)
    # for few rows the next power of 2, so that not every number of rows is compiled for
    size = min(options.batch_size, 1 << (len(kept) - 1).bit_length())
    n_batches = -(-len(kept) // size)
    rates = learning_rates(options.learning_rate, options.schedule, options.epochs * n_batches)
    with _trainer(network, model, options, size, fused) as trainer:
        callbacks, history, stopping = _callback_list(
            trainer.net, options, n_batches, len(held_out)
        )
        read = partial(options.warp.read, rng=rng) if options.warp else operator.getitem
        callbacks.on_train_begin()
        for epoch in range(options.epochs):
            callbacks.on_epoch_begin(epoch)
            coming = rates[epoch * n_batches :][:n_batches]
            if options.schedule == "constant":  # a callback may have changed the learning rate
                coming[:] = float(trainer.net.optimizer.learning_rate.numpy())
            order = rng.permutation(kept)
            logs = trainer.train(
                prefetched(gathered(rows, order, size, coming, read)),
                lambda done, logs: callbacks.on_train_batch_end(done - 1, logs),
            )
            if len(held_out):
                measured = trainer.measure(prefetched(gathered(rows, held_out, size, coming)))
                logs |= {f"val_{name}": value for name, value in measured.items()}
            callbacks.on_epoch_end(epoch, logs)
            if trainer.net.stop_training:
                break
        callbacks.on_train_end()
    return history.history, stopping


def _callback_list(
    net: Any, options: TrainingOptions, n_batches: int, n_held_out: int
) -> tuple[Any, Any, Any]:
    import keras

    stopping = _early_stopping(options, "val_cross_entropy") if n_held_out else None
    history = keras.callbacks.History()
    callbacks = keras.callbacks.CallbackList(
        [*_all_callbacks(options, stopping), history],
        add_progbar=options.verbose > 0,
        model=net,
        verbose=options.verbose,
        epochs=options.epochs,
        steps=n_batches,
    )
    return callbacks, history, stopping


@contextmanager
def _trainer(
    network: Network, model: Any, options: TrainingOptions, batch_size: int, fused: bool
) -> Iterator[Trainer]:
    """Yield a trainer for the model: a new one, or one that is compiled for its ``compile_key``.

    Tracing and compiling take longer than training a small network, and TensorFlow never frees the
    memory. So a trainer is used again for networks that differ only in numbers: the weights are
    copied to its own network before training, and back afterwards.
    """
    how = (batch_size, options.average, fused)
    # callbacks must be given the user's model, and may change anything about it
    key = None if options.callbacks else compile_key(network, model)
    if key is None:
        trainer = Trainer(model, *how)
        trainer.start(options.learning_rate)
        yield trainer
        return
    trainer = _trainers.take((key, *how)) or Trainer(twin_of(network, model), *how)
    for there, here in zip(trainer.net.variables, model.variables, strict=True):
        there.assign(here)
    trainer.start(options.learning_rate, penalty=1.0 if isinstance(network, Own) else network.l2)
    yield trainer
    for there, here in zip(trainer.net.variables, model.variables, strict=True):
        here.assign(there)
    _trainers.put((key, *how), trainer)


# -- by Keras's own fit ----------------------------------------------------------------------------


def _reason_for_keras_fit(model: Any) -> str | None:
    """Why Keras's own ``fit`` has to train the network, or None if it need not."""
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
    model: Any, rows: TrainingRows, options: TrainingOptions
) -> tuple[dict[str, list[float]], Any]:
    """Train with Keras's own ``fit``; a compiled network keeps its optimizer and loss."""
    monitor = "val_loss"
    if not model.compiled:
        compile_as_usual(model, options.learning_rate)
        monitor = "val_cross_entropy"
    kept, held_out = ~rows.held_out, rows.held_out
    validation = stopping = None
    if held_out.any():
        validation = (rows.X[held_out], rows.codes[held_out], rows.weight[held_out])
        stopping = _early_stopping(options, monitor)
    history = model.fit(
        rows.X[kept],
        rows.codes[kept],
        sample_weight=rows.weight[kept],
        validation_data=validation,
        batch_size=options.batch_size,
        epochs=options.epochs,
        callbacks=_all_callbacks(options, stopping),
        verbose=options.verbose,
    )
    return history.history, stopping


# -- what both do ----------------------------------------------------------------------------------


def _early_stopping(options: TrainingOptions, monitor: str) -> Any:
    """A new early stopping: an instance must not be used for two trainings."""
    import keras

    return keras.callbacks.EarlyStopping(
        # without the L2 penalty, if possible: the penalty still falls after the best epoch
        monitor=monitor,
        mode="min",
        patience=options.patience,
        min_delta=options.min_delta,
        restore_best_weights=True,
    )


def _all_callbacks(options: TrainingOptions, stopping: Any) -> list[Any]:
    """The user's callbacks, early stopping if any, and one that reports the epochs done."""
    import keras

    users = options.callbacks() if options.callbacks else []
    reporter = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: tell(epoch + 1, options.epochs)
    )
    return [*users, *([stopping] if stopping else []), reporter]


def _check_answers(model: Any, X: NDArray[Any], n_classes: int) -> None:
    """Raise ValueError unless the network returns a probability for every class."""
    found = np.asarray(model(X.astype(np.float32), training=False)).astype(np.float32)
    # a tolerance for bfloat16, which has 8 bits of precision
    if found.shape != (1, n_classes) or found.min() < 0 or abs(found.sum() - 1) > 2e-2:
        raise ValueError(
            f"build_fn must build a network that returns {n_classes} probabilities for a row, "
            f"as a softmax layer does. Got {found!r} instead."
        )


def _log(options: TrainingOptions, message: str) -> None:
    if options.verbose:
        print(f"SequentialClassifier: {message}.")
