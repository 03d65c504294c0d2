"""Compiled loops that train a Keras model and make its predictions.

Keras's own ``fit`` and ``predict`` return to Python after every batch. Here one compiled function
takes some dozens of batches: forward pass, gradients and the optimizer's steps. All that leans on
private parts of Keras is in this file. Importing it imports TensorFlow.
"""

import contextlib
import json
import logging
import math
import operator
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary, ref

import numpy as np
from numpy.typing import NDArray

from mnist_models._keras_start import generators_kept, quiet_start, seeded, start_keras

with quiet_start():
    import keras
    import tensorflow as tf

T = TypeVar("T")

# -- fit and predict -------------------------------------------------------------------------------

# For fewer steps, compiling with XLA (three seconds, once) takes longer than it saves in six fits.
_WORTH_FUSING = 400

# The errors that TensorFlow raises if XLA cannot compile a function.
_XLA_REFUSALS = (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError)

# Hooks that are called too seldom when many batches run in one call.
_BATCH_HOOKS = [
    f"on{part}_batch_{end}" for part in ("", "_train", "_test") for end in ("begin", "end")
]
_PREDICT_HOOKS = [f"on_predict_{part}{end}" for part in ("", "batch_") for end in ("begin", "end")]


class Training(NamedTuple):
    """What a fit asks for that is no argument of Keras's ``fit``.

    Parameters
    ----------
    seed : int or None
        Seeds the order of the rows and their warps; None draws a seed from NumPy's generator.
    network : NamedTuple or None
        A description of the model, with a field ``l2`` and a method ``build``; None for a model
        that users built.
    held_out : ndarray of bool, shape (n,), or None
        Rows to validate with, all of which have weights; None for the last ones, as Keras has it.
    rates : callable or None
        ``rates(n_steps)`` returns the learning rate of every step; None for the optimizer's own.
    average : float
        Momentum of an exponential moving average of the weights; 0 for none.
    warp : callable or None
        ``warp(X, rows, rng)`` returns the given rows, each warped at random.
    resumed : bool
        Whether the optimizer's state is needed, for training that continues.
    approximate : bool
        Whether callbacks for batches may be called once for some dozens of batches, and rows that
        fill up the last batch may take part in its normalization.
    by_keras : str or None
        Why Keras's own ``fit`` has to train the model, if the estimator knows a reason.
    epochs, batch_size, shuffle, callbacks, verbose
        Arguments of Keras's ``fit``, which :class:`FastModel` fills in.
    """

    seed: int | None = None
    network: Any = None
    held_out: NDArray[np.bool_] | None = None
    rates: Callable[[int], NDArray[np.float32]] | None = None
    average: float = 0.0
    warp: Callable[..., Any] | None = None
    resumed: bool = True
    approximate: bool = False
    by_keras: str | None = None
    epochs: range = range(1)
    batch_size: int = 32
    shuffle: bool = True
    callbacks: Sequence[Any] = ()
    verbose: Any = 0


class FastModel:
    """A compiled Keras model with a faster ``fit`` and ``predict``.

    Both take Keras's arguments. Where the compiled loops would not compute the same, they call
    Keras's own.

    Parameters
    ----------
    model : keras.Model
    training : Training
    callbacks : sequence of keras.callbacks.Callback
        In addition to those given to ``fit``.
    """

    def __init__(
        self, model: Any, training: Training | None = None, callbacks: Sequence[Any] = ()
    ) -> None:
        self.model, self._training, self._callbacks = model, training or Training(), callbacks

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def predict(self, x: Any, callbacks: Sequence[Any] = (), **how: Any) -> Any:
        """The model's outputs; ``verbose`` shows no progress where they are made at once."""
        start_keras()  # raises where TensorFlow would hang
        methods = ("predict", "predict_step", "make_predict_function")
        heard = any(_hears(callback, _PREDICT_HOOKS) for callback in callbacks)
        plain = not heard and set(how) <= {"batch_size", "verbose"}
        if plain and _is_keras_method(self.model, *methods) and _maps_rows(self.model, x):
            return predict_rows(self.model, x)
        return self.model.predict(x=x, callbacks=list(callbacks), **how)

    def fit(
        self,
        x: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        initial_epoch: int = 0,
        validation_split: float = 0.0,
        callbacks: Sequence[Any] = (),
        verbose: Any = 0,
        shuffle: Any = True,
        **how: Any,
    ) -> Any:
        """Train the model."""
        start_keras()
        callbacks = keras.tree.flatten([*callbacks, *self._callbacks])
        training = self._training._replace(
            epochs=range(initial_epoch, epochs),
            batch_size=batch_size or 32,
            shuffle=bool(shuffle),
            callbacks=callbacks,
            verbose=verbose,
        )
        how = {name: value for name, value in how.items() if value is not None}
        held_out: Any = training.held_out
        if held_out is None and isinstance(x, np.ndarray):
            held_out = np.arange(len(x)) >= math.floor(len(x) * (1 - validation_split))
        reason = _why_not_fit(self.model, training, x, y, held_out, how)
        # TensorFlow warns that functions are traced often, as they must be for each new network
        with _without_retracing_warnings():
            if reason is None:
                weight = np.ones(len(x)) if sample_weight is None else np.asarray(sample_weight)
                targets = np.asarray(y, np.float32).reshape(len(x), -1)
                rows = TrainingRows(x, targets, weight.astype(np.float32), held_out)
                try:
                    return _fit_compiled(self.model, rows, training)
                except _NotCompiledError as error:
                    reason = str(error)
            _log(verbose, f"{reason}: Keras's own fit trains it")
            if training.held_out is not None:
                parts = (x, y, sample_weight)
                x, y, sample_weight = (part[~held_out] for part in parts)
                if held_out.any():
                    how["validation_data"] = tuple(part[held_out] for part in parts)
            how |= {"x": x, "y": y, "sample_weight": sample_weight, "callbacks": callbacks}
            how |= {"epochs": epochs, "initial_epoch": initial_epoch, "batch_size": batch_size}
            how |= {"validation_split": validation_split, "shuffle": shuffle, "verbose": verbose}
            with seeded(training.seed):
                return self.model.fit(**how)


def _fit_compiled(model: Any, rows: "TrainingRows", training: Training) -> Any:
    """Train all epochs, by XLA where that is faster; return Keras's ``History``."""
    verbose = training.verbose
    if training.resumed:
        model.optimizer.build(model.trainable_variables)
    n_steps = len(training.epochs) * -(-int((~rows.held_out).sum()) // training.batch_size)
    if has_convolutions(model):
        _log(verbose, "XLA is slow at convolutions: they run in TensorFlow's own functions")
    elif n_steps < _WORTH_FUSING:
        _log(verbose, f"{n_steps} steps are too few for XLA to be worth compiling them")
    else:
        state = [*model.variables, *model.optimizer.variables]
        initial = [variable.numpy().copy() for variable in state]
        try:
            return _train(model, rows, training, fused=True)
        except _XLA_REFUSALS as error:
            _log(verbose, f"XLA refuses it, TensorFlow's own functions train it: {error}")
            for variable, value in zip(state, initial, strict=True):
                variable.assign(value)
    return _train(model, rows, training, fused=False)


def _train(model: Any, rows: "TrainingRows", training: Training, *, fused: bool) -> Any:
    kept, held_out = np.flatnonzero(~rows.held_out), np.flatnonzero(rows.held_out)
    seed = np.random.randint(2**31) if training.seed is None else training.seed  # noqa: NPY002
    rng = np.random.default_rng(seed)
    # for few rows the next power of 2, so that not every number of rows is compiled for
    size = min(training.batch_size, 1 << (len(kept) - 1).bit_length())
    n_batches = -(-len(kept) // size)
    rates = training.rates(len(training.epochs) * n_batches) if training.rates else None
    read = partial(training.warp, rng=rng) if training.warp else operator.getitem
    history = keras.callbacks.History()
    how = (rows.X.shape[1:], rows.y.shape[1], size, fused)
    with _trainer(model, training, how) as trainer:
        callbacks = keras.callbacks.CallbackList(
            [*training.callbacks, history],
            add_progbar=bool(training.verbose),
            model=trainer.net,
            verbose=training.verbose,
            epochs=training.epochs.stop,
            steps=n_batches,
        )
        callbacks.on_train_begin()
        for done, epoch in enumerate(training.epochs):
            callbacks.on_epoch_begin(epoch)
            if rates is None:  # asked in each epoch, as a callback may have changed it
                coming = np.full(n_batches, trainer.net.optimizer.learning_rate, np.float32)
            else:
                coming = rates[done * n_batches :][:n_batches]
            order = rng.permutation(kept) if training.shuffle else kept
            logs = trainer.train(
                prefetched(gathered(rows, order, size, coming, read)),
                lambda done, logs: callbacks.on_train_batch_end(done - 1, logs),
            )
            if len(held_out):
                callbacks.on_test_begin()
                measured = trainer.measure(prefetched(gathered(rows, held_out, size, coming)))
                callbacks.on_test_end(measured)
                logs |= {f"val_{name}": value for name, value in measured.items()}
            callbacks.on_epoch_end(epoch, logs)
            if trainer.net.stop_training:
                break
        callbacks.on_train_end()
    return history


class _NotCompiledError(Exception):
    """The compiled loops cannot train the model; the message says why."""


@contextlib.contextmanager
def _trainer(model: Any, training: Training, how: tuple[Any, ...]) -> Iterator["Trainer"]:
    """Yield a trainer for the model: a new one, or one that is compiled for its key.

    Tracing and compiling take longer than training a small network, and TensorFlow never frees the
    memory. So a trainer is used again for networks that differ only in numbers: the weights are
    copied to its own network before training, and back afterwards.
    """
    # most callbacks must be given the user's model, as they may change anything about it
    shared = all(map(_only_steers, training.callbacks))
    key = _training_key(model, training.network) if shared else None
    if key is None:
        trainer = Trainer(model, training.average, *how)
        trainer.start()
        yield trainer
        return
    key = (key, training.average, *how)
    trainer = _compiled.take(key)
    if trainer is None:
        twin = _twin_of(model, training.network)
        twin.compile_from_config(model.get_compile_config())
        trainer = Trainer(twin, *key[1:])
    net = trainer.net
    pairs = list(zip(net.variables, model.variables, strict=True))
    if model.optimizer.built:
        pairs += zip(net.optimizer.variables, model.optimizer.variables, strict=True)
    else:
        for variable in net.optimizer.variables:
            variable.assign(np.zeros(variable.shape))
        net.optimizer.learning_rate.assign(model.optimizer.learning_rate)
    for there, here in pairs:
        there.assign(here)
    trainer.start(penalty=training.network.l2 if training.network else 1.0)
    yield trainer
    for there, here in pairs:
        here.assign(there)
    for callback in training.callbacks:
        callback.set_model(model)
    _compiled.put(key, trainer)


# -- what the compiled loops cannot do -------------------------------------------------------------


def _maps_rows(model: Any, x: Any) -> bool:
    """Whether the model maps an array of rows, each alone, to a row of float32 numbers for each."""
    inputs, outputs = (getattr(model, name, None) or [] for name in ("inputs", "outputs"))
    return (
        len(inputs) == len(outputs) == 1
        and isinstance(x, np.ndarray)
        and x.dtype.kind in "biuf"
        and model.input_shape == (None, *x.shape[1:])  # which no dict or list of shapes is
        and inputs[0].dtype == "float32"
        and isinstance(model.output_shape, tuple)
        and len(model.output_shape) == 2
        and not any(getattr(layer, "stateful", False) for layer in model._flatten_layers())
    )


def _why_not_fit(
    model: Any, training: Training, x: Any, y: Any, held_out: Any, how: dict[str, Any]
) -> str | None:
    """Why Keras's own ``fit`` has to train the model, or None if it need not."""
    if training.by_keras:
        return training.by_keras
    steps = ("fit", "train_step", "test_step", "compute_loss", "compute_metrics", "compile")
    if not _is_keras_method(model, *steps):
        return "the network has steps of its own"
    if any(layer.compute_dtype == "float16" for layer in model.layers):
        return "the network works in half precision, whose loss needs scaling"
    if training.approximate:
        return None
    if not _maps_rows(model, x):
        return "the network does not map each row of an array of numbers to a row of float32"
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "biuf" or y.ndim > 2:
        return "the targets are no array of numbers"
    if how:
        return f"fit was given {', '.join(how)}"
    if held_out.all():
        return "no rows are left to train on"
    if not _is_simple(model):
        return "the network was compiled in a way that the compiled loops do not know"
    is_shorter = (~held_out).sum() % training.batch_size > 0
    if is_shorter and not all(map(_keeps_rows_apart, model._flatten_layers())):
        return "the last batch is shorter, and a layer may mix the rows of a batch"
    if any(_hears(callback, _BATCH_HOOKS) for callback in training.callbacks):
        return "a callback hears of batches"
    return None


def _is_keras_method(model: Any, *names: str) -> bool:
    return all(
        getattr(getattr(model, name), "__func__", None) is getattr(keras.Model, name)
        for name in names
    )


def _is_keras(thing: Any) -> bool:
    """Whether a function, or the type of an object, is Keras's own."""
    module = getattr(thing, "__module__", None)  # of an object: its type's
    return str(module).startswith("keras.")


def _is_simple(model: Any) -> bool:
    """Whether loss, metrics and optimizer are Keras's own, and used in the ordinary way."""
    config, optimizer, loss = model._compile_config.config, model.optimizer, model.loss
    metrics = keras.tree.flatten([config.get(name) for name in ("metrics", "weighted_metrics")])
    return (
        not (config.get("run_eagerly") or config.get("loss_weights"))
        and config.get("steps_per_execution", 1) == 1
        and _is_keras(optimizer)
        and not hasattr(optimizer, "inner_optimizer")
        and not (optimizer.use_ema or optimizer.gradient_accumulation_steps)
        and hasattr(optimizer._learning_rate, "assign")  # a number, no schedule
        and (_is_keras(loss) or isinstance(loss, str))
        and loss not in ("ce", "crossentropy")  # which depend on the targets
        and getattr(loss, "reduction", "sum_over_batch_size") == "sum_over_batch_size"
        and all(each is None or isinstance(each, str) or _is_keras(each) for each in metrics)
    )


def _keeps_rows_apart(layer: Any) -> bool:
    """Whether the rows that fill up a batch leave the others as they are."""
    mixes = isinstance(layer, keras.layers.BatchNormalization)
    return _is_keras(layer) and not mixes and not getattr(layer, "activity_regularizer", None)


def _hears(callback: Any, hooks: Sequence[str]) -> bool:
    """Whether a callback overrides one of the methods."""
    plain = keras.callbacks.Callback
    return any(
        hook in vars(callback) or getattr(type(callback), hook) is not getattr(plain, hook)
        for hook in hooks
    )


def _only_steers(callback: Any) -> bool:
    """Whether a callback of Keras's reads and sets no more of the model than a trainer copies."""
    return type(callback) in (
        keras.callbacks.EarlyStopping,
        keras.callbacks.LearningRateScheduler,
        keras.callbacks.ReduceLROnPlateau,
    )


def has_convolutions(model: Any) -> bool:
    """Whether any layer, however deep, is a convolution: XLA is slow at these on CPUs."""
    layers = [*getattr(model, "layers", []), getattr(model, "layer", None)]
    return any(hasattr(each, "kernel_size") or has_convolutions(each) for each in layers if each)


def _log(verbose: Any, message: str) -> None:
    if verbose:
        print(f"mnist_models: {message}.")


@contextlib.contextmanager
def _without_retracing_warnings() -> Iterator[None]:
    def is_wanted(record: logging.LogRecord) -> bool:
        return "triggered tf.function retracing" not in record.getMessage()

    logger = logging.getLogger("tensorflow")
    logger.addFilter(is_wanted)
    try:
        yield
    finally:
        logger.removeFilter(is_wanted)


# -- batches ---------------------------------------------------------------------------------------

# The most that is gathered at a time: enough to make the cost of a call negligible, little enough
# for the memory and for Ctrl-C to be obeyed soon.
_MOST_BATCHES = 32
_MOST_VALUES = 2**22


class TrainingRows(NamedTuple):
    """Values, targets (in columns), weights, and whether it is held out, of each row."""

    X: NDArray[Any]
    y: NDArray[np.float32]
    weight: NDArray[np.float32]
    held_out: NDArray[np.bool_]


class Batches(NamedTuple):
    """Several batches of the same size, one after the other.

    A last batch that is too short is filled up with rows of weight 0, and missing batches with
    zeros. So all shapes are the same, and nothing is compiled twice.
    ``sizes`` are the numbers of rows of each batch without those that fill it up, ``rates`` their
    learning rates, and ``n_batches`` the number of batches without missing ones.
    """

    X: NDArray[Any]
    y: NDArray[np.float32]
    weight: NDArray[np.float32]
    sizes: NDArray[np.float32]
    rates: NDArray[np.float32]
    n_batches: int


def batches_at_once(n_rows: int, n_features: int, batch_size: int) -> int:
    """How many batches to gather at a time: a power of 2, so that few sizes are compiled."""
    most = max(1, min(_MOST_BATCHES, _MOST_VALUES // (batch_size * n_features)))
    needed = -(-n_rows // batch_size)
    return int(min(2 ** (needed - 1).bit_length(), 2 ** (most.bit_length() - 1)))


def gathered(
    rows: TrainingRows,
    order: NDArray[np.intp],
    batch_size: int,
    rates: NDArray[np.float32],
    read: Callable[[NDArray[Any], NDArray[np.intp]], NDArray[Any]] = operator.getitem,
) -> Iterator[Batches]:
    """Yield the batches of the rows in ``order``, each with its learning rate.

    ``read(X, rows)`` returns the values of the given rows of X.
    """
    at_once = batches_at_once(len(order), math.prod(rows.X.shape[1:]), batch_size)
    size = at_once * batch_size
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        n_batches = -(-len(chosen) // batch_size)
        # filled up with rows of the data, not zeros, for layers that normalize over the batch
        filled = np.concatenate([chosen, np.resize(order, n_batches * batch_size - len(chosen))])
        values = read(rows.X, filled)
        if values.dtype != np.uint8:
            values = values.astype(np.float32, copy=False)
        starts = batch_size * np.arange(at_once)
        yield Batches(
            X=_zero_padded(values, size),
            y=_zero_padded(rows.y[filled], size),
            weight=_zero_padded(rows.weight[chosen], size),
            sizes=np.clip(len(chosen) - starts, 0, batch_size).astype(np.float32),
            rates=_zero_padded(rates[start // batch_size :][:n_batches], at_once),
            n_batches=n_batches,
        )


def _zero_padded(array: NDArray[Any], n_rows: int) -> NDArray[Any]:
    """Append rows of zeros to an array, up to ``n_rows`` in all."""
    if len(array) == n_rows:
        return array
    padded = np.zeros((n_rows, *array.shape[1:]), dtype=array.dtype)
    padded[: len(array)] = array
    return padded


def prefetched(items: Iterator[T]) -> Iterator[T]:
    """Yield the same items, each made in a thread while the one before is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


# -- training, compiled ----------------------------------------------------------------------------


class Trainer:
    """Train a network, and measure its loss and metrics, several batches per call.

    Parameters
    ----------
    net : keras.Model
        Built and compiled, with one input and one output.
    average : float
        Momentum of an exponential moving average of the weights, in [0, 1); 0 for none. Between
        epochs the network has the averaged weights.
    row_shape : tuple of int
        Shape of a row of X.
    n_targets : int
        Columns of y.
    batch_size : int
        Rows to a batch.
    fused : bool
        Whether TensorFlow's XLA compiles the loop into native code.
    """

    def __init__(
        self,
        net: Any,
        average: float,
        row_shape: tuple[int, ...],
        n_targets: int,
        batch_size: int,
        fused: bool,
    ) -> None:
        self.net = net
        self._batch_size = batch_size
        self._average = average
        X, y = (np.zeros((batch_size, *each), np.float32) for each in (row_shape, (n_targets,)))
        net._symbolic_build(data_batch=(X, y))
        loss = keras.losses.get(net.loss)
        # what is added up: names, functions of targets and outputs, and whether rows are weighted
        self._totals = [("loss", getattr(loss, "call", loss), True), *_mean_metrics(net)]
        outputs = net(X[:2], training=False)
        if any(function(y[:2], outputs).shape != (len(X[:2]),) for _, function, _ in self._totals):
            raise _NotCompiledError("the loss or a metric is not one number for each row")
        self._penalty = tf.Variable(1.0, trainable=False)
        self._n_steps = tf.Variable(0.0, trainable=False)
        self._averaged = [w for w in net.weights if average and "float" in str(w.dtype)]
        self._averages = [tf.Variable(w) for w in self._averaged]
        how = {"autograph": False, "jit_compile": fused}
        self._train = tf.function(lambda *batches: self._run(self._train_step, *batches), **how)
        self._measure = tf.function(lambda *batches: self._run(self._test_step, *batches), **how)
        self._swap_averages = tf.function(self._swapped, autograph=False)

    def start(self, penalty: float = 1.0) -> None:
        """Reset the averages; ``penalty`` multiplies the layers' penalties."""
        self.net.stop_training = False
        self._penalty.assign(penalty)
        self._n_steps.assign(0.0)
        for average, weight in zip(self._averages, self._averaged, strict=True):
            average.assign(weight.value)

    def train(
        self, epoch: Iterable[Batches], after: Callable[[int, dict[str, float]], None]
    ) -> dict[str, float]:
        """Train for one epoch; return its loss and metrics.

        ``after`` is called with the number of batches done and the same figures so far.
        """
        sums, done = np.zeros(self._n_sums), 0
        self._swap_averages()
        for batches in epoch:
            sums += self._train(*_tensors(batches)).numpy()
            done += batches.n_batches
            after(done, self._logs(sums))
            if self.net.stop_training:
                break
        self._swap_averages()
        return self._logs(sums)

    def measure(self, epoch: Iterable[Batches]) -> dict[str, float]:
        """Loss and metrics of the network as it is."""
        sums = np.zeros(self._n_sums)
        for batches in epoch:
            sums += self._measure(*_tensors(batches)).numpy()
        return self._logs(sums)

    @property
    def _n_sums(self) -> int:
        """Of each batch: penalty, number and weight of rows, and the totals."""
        return 3 + len(self._totals)

    def _logs(self, sums: NDArray[np.float64]) -> dict[str, float]:
        penalty, n_rows, weight, *totals = sums.tolist()
        logs = {}
        for (name, _, is_weighted), total in zip(self._totals, totals, strict=True):
            divisor = weight if is_weighted else n_rows
            logs[name] = total / divisor if divisor else 0.0
        return logs | {"loss": (totals[0] + penalty) / n_rows}

    def _swapped(self) -> None:
        """Swap the network's weights and their averages."""
        for average, weight in zip(self._averages, self._averaged, strict=True):
            saved = tf.identity(weight.value)
            weight.assign(average)
            average.assign(saved)

    # -- compiled ----------------------------------------------------------------------------------

    def _run(self, step: Callable[..., Any], X: Any, y: Any, weight: Any, *rest: Any) -> Any:
        """Take a step for every batch, and add up the sums it returns."""
        sizes, rates, n_batches = rest
        n = self._batch_size

        def body(i: Any, sums: Any) -> tuple[Any, Any]:
            batch = (_slice(each, i * n, n) for each in (X, y, weight))
            return i + 1, sums + step(*batch, sizes[i], rates[i])

        start = (tf.constant(0), tf.zeros(self._n_sums))
        return tf.while_loop(lambda i, _: i < n_batches, body, start, parallel_iterations=1)[1]

    def _train_step(self, X: Any, y: Any, weight: Any, size: Any, rate: Any) -> Any:
        """One step of the optimizer."""
        variables = self.net.trainable_variables
        self.net.optimizer.learning_rate.assign(rate)
        with tf.GradientTape() as tape:
            loss, sums = self._loss_and_sums(X, y, weight, size, training=True)
        self.net.optimizer.apply(tape.gradient(loss, variables), variables)
        if self._averages:
            self._n_steps.assign_add(1.0)
            # less momentum in the first steps, so that the initial weights are soon forgotten
            momentum = tf.minimum(self._average, self._n_steps / (self._n_steps + 9.0))
            for average, each in zip(self._averages, self._averaged, strict=True):
                average.assign(average + tf.cast(1.0 - momentum, average.dtype) * (each - average))
        return sums

    def _test_step(self, X: Any, y: Any, weight: Any, size: Any, rate: Any) -> Any:
        """Measure only."""
        return self._loss_and_sums(X, y, weight, size, training=False)[1]

    def _loss_and_sums(self, X: Any, y: Any, weight: Any, size: Any, training: bool) -> Any:
        """The loss of a batch, and what it adds to the sums of the epoch."""
        outputs = tf.cast(self.net(tf.cast(X, tf.float32), training=training), tf.float32)
        penalties = [tf.cast(each, tf.float32) for each in self.net.losses]
        penalty = self._penalty * tf.add_n([tf.zeros(()), *penalties])
        in_batch = tf.cast(tf.range(self._batch_size, dtype=tf.float32) < size, tf.float32)
        totals = [
            tf.reduce_sum((weight if is_weighted else in_batch) * function(y, outputs))
            for _, function, is_weighted in self._totals
        ]
        sums = [penalty * size, size, tf.reduce_sum(weight), *totals]
        return totals[0] / size + penalty, tf.stack(sums)


def _mean_metrics(net: Any) -> list[tuple[str, Callable[..., Any], bool]]:
    """Each metric's name, its function of targets and outputs, and whether rows are weighted."""
    compiled = net._compile_metrics
    if compiled is None:
        return []
    found = []
    for is_weighted, groups in enumerate((compiled._flat_metrics, compiled._flat_weighted_metrics)):
        for metric in [each for group in groups if group for each in group.metrics]:
            mean = keras.metrics.MeanMetricWrapper
            if getattr(type(metric), "update_state", None) is not mean.update_state:
                raise _NotCompiledError(f"the metric {metric.name} is no mean over rows")
            found.append((partial(metric._fn, **metric._fn_kwargs), bool(is_weighted)))
    return [(name, *each) for name, each in zip(compiled.result(), found, strict=True)]


def _slice(tensor: Any, start: Any, n: int) -> Any:
    others = tensor.shape[1:]
    return tf.slice(tensor, [start, *[0] * len(others)], [n, *others])


def _tensors(batches: Batches) -> Batches:
    """Convert to tensors, numbers too: each Python number would have a function compiled for it."""
    return Batches(*(tf.convert_to_tensor(each) for each in batches))


# -- code that networks share ----------------------------------------------------------------------

# Layers that are fully determined by their configuration and their weights.
_PLAIN_LAYERS = frozenset(
    """
    InputLayer Dense Conv2D DepthwiseConv2D SeparableConv2D BatchNormalization LayerNormalization
    Dropout SpatialDropout2D Activation ReLU LeakyReLU PReLU ELU Softmax Flatten Reshape Permute
    MaxPooling2D AveragePooling2D GlobalMaxPooling2D GlobalAveragePooling2D ZeroPadding2D
    """.split()  # noqa: SIM905
)


class Pool:
    """The objects that were put here last, each to be taken out again by its key."""

    def __init__(self, max_items: int) -> None:
        self._max_items = max_items
        self._items: list[tuple[Any, Any]] = []
        self._lock = threading.Lock()

    def take(self, key: Any) -> Any:
        """Take out the latest object with the key, for this thread alone; None if there is none."""
        with self._lock:
            for index, (each, item) in reversed(list(enumerate(self._items))):
                if each == key:
                    del self._items[index]
                    return item
        return None

    def put(self, key: Any, item: Any) -> None:
        """Keep an object; drop the oldest one if there are too many."""
        with self._lock:
            self._items.append((key, item))
            del self._items[: -self._max_items]


# Trainers and forward passes, with their compiled code: as many as a large grid has architectures.
_compiled = Pool(48)


def compile_key(model: Any, network: Any = None) -> Any:
    """A key that models have in common if they can share compiled code; None if that is unsure.

    They may differ in weights and, if a description of the network is given, in its L2 penalty.
    Otherwise the key is Keras's configuration of the model, provided that it is a plain sequence of
    layers with no state but their weights and no code but Keras's: others may have equal
    configurations and compute other things.
    """
    if network is not None:
        return network._replace(l2=1.0), keras.config.dtype_policy().name, keras.config.floatx()
    if type(model) is not keras.Sequential or not all(map(_is_plain, model.layers)):
        return None
    layers = [(type(each).__name__, each.get_config() | {"name": ""}) for each in model.layers]
    trainable = [variable.trainable for variable in model.variables]
    return json.dumps([model.input_shape, layers, trainable])


def _training_key(model: Any, network: Any) -> Any:
    """The same for the compiled training of models."""
    key = compile_key(model, network)
    if key is None or network is not None:
        return key
    config = model.get_compile_config()
    for numbered in ("learning_rate", "name"):  # a variable; Keras counts its optimizers
        config["optimizer"]["config"].pop(numbered)
    return key, json.dumps(config)


def _twin_of(model: Any, network: Any) -> Any:
    """Another model with the same ``compile_key``."""
    with generators_kept():
        if network is not None:
            return network._replace(l2=1.0).build()
        twin = keras.models.clone_model(model)
    for there, here in zip(twin.variables, model.variables, strict=True):
        there.trainable = here.trainable
    return twin


def _is_plain(layer: Any) -> bool:
    functions = [each for each in vars(layer).values() if callable(each)]
    return all(map(_is_keras, [layer, *functions])) and type(layer).__name__ in _PLAIN_LAYERS


# -- predicting, compiled --------------------------------------------------------------------------

# Rows sent through the network at a time; the last block is filled up with zeros. Vectorized
# kernels round the last rows of a block differently, so with blocks of varying size a row's outputs
# would depend on the rows predicted with it. With 24 rows, unlike with 32, no row was found to
# depend on its position in the block.
_BLOCK = 24
# Blocks in one call, if there are that many: a call takes as long as a block of a small network.
_BLOCKS_AT_ONCE = 64
_MOST_FEATURES = 8192  # the most for that many blocks in a call, which are then 50 MB of float32

# Of each model that is alive, which need not find its compile_key again for every row.
_forwards: "WeakKeyDictionary[Any, ForwardPass]" = WeakKeyDictionary()


def predict_rows(model: Any, rows: NDArray[Any], network: Any = None) -> NDArray[np.float32]:
    """The model's outputs, (n, n_outputs), for rows (n, ...), each independent of the others.

    To the last bit. ``network`` describes the model, as for :class:`Training`.
    """
    start_keras()  # raises where TensorFlow would hang
    forward = _forward_of(model, network, rows.shape[1:])
    variables = [each.value for each in model.weights]
    outputs, start = [], 0
    is_small = math.prod(rows.shape[1:]) <= _MOST_FEATURES
    while start < len(rows):
        many = is_small and len(rows) - start >= _BLOCK * _BLOCKS_AT_ONCE
        size = _BLOCK * (_BLOCKS_AT_ONCE if many else 1)
        block = rows[start : start + size].astype(np.float32, copy=False)
        outputs.append(forward(variables, _zero_padded(block, size))[: len(block)])
        start += size
    return np.concatenate(outputs)


class ForwardPass:
    """The forward pass of all models with one ``compile_key``, compiled for one or many blocks.

    ``model()`` returns one of them, whose layers are used, but not its weights.
    """

    def __init__(self, model: Callable[[], Any], row_shape: tuple[int, ...]) -> None:
        self._model = model
        self._compiled: dict[int, Callable[..., Any]] = {}
        self.function = tf.function(self._outputs, autograph=False)
        if has_convolutions(model()):
            return
        unfused = self.function
        self.function = tf.function(self._outputs, autograph=False, jit_compile=True)
        try:
            zeros = np.zeros((_BLOCK, *row_shape), dtype=np.float32)
            self([each.value for each in model().weights], zeros)
        except _XLA_REFUSALS:
            self.function, self._compiled = unfused, {}

    def __call__(self, variables: list[Any], X: NDArray[np.float32]) -> NDArray[np.float32]:
        """The outputs for one block of rows, or for ``_BLOCKS_AT_ONCE``."""
        rows = tf.convert_to_tensor(X)
        if len(X) not in self._compiled:
            self._compiled[len(X)] = self.function.get_concrete_function(variables, rows)
        outputs: NDArray[np.float32] = self._compiled[len(X)](variables, rows).numpy()
        return outputs

    def _outputs(self, variables: Any, X: Any) -> Any:
        model = self._model()

        def block(rows: Any) -> Any:
            return tf.cast(model(rows, training=False), tf.float32)

        values = [tf.convert_to_tensor(each) for each in variables]
        with keras.StatelessScope(state_mapping=zip(model.weights, values, strict=True)):
            if X.shape[0] == _BLOCK:
                return block(X)
            blocks = tf.reshape(X, [-1, _BLOCK, *X.shape[1:]])
            outputs = tf.map_fn(block, blocks, fn_output_signature=tf.float32)
            return tf.reshape(outputs, [X.shape[0], -1])


def _forward_of(model: Any, network: Any, row_shape: tuple[int, ...]) -> ForwardPass:
    """The forward pass compiled for this model, or for another with the same key."""
    forward: ForwardPass | None = _forwards.get(model)
    if forward is None:
        key = compile_key(model, network)
        if key is None:
            forward = ForwardPass(ref(model), row_shape)
        else:
            forward = _compiled.take(key)
            if forward is None:
                twin = _twin_of(model, network)
                forward = ForwardPass(lambda: twin, row_shape)
            _compiled.put(key, forward)
        _forwards[model] = forward
    return forward
