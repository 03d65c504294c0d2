"""Training many batches in one compiled function.

Keras's own ``fit`` returns to Python after every batch. Here TensorFlow compiles the loop over the
batches too, with forward pass, gradients and Adam's steps.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_models._network.batches import Batches

# Each batch adds to these sums: entropy, penalty, rows, weight of the hits, weight of all rows.
_N_SUMS = 5


class Trainer:
    """Train a network, and measure its loss and accuracy, several batches per call.

    Parameters
    ----------
    net : keras.Model
        Built, with probabilities as output. It is compiled here, for callbacks that use its
        optimizer.
    batch_size : int
        Rows to a batch.
    average : float
        Momentum of an exponential moving average of the weights, in [0, 1); 0 for none. Between
        epochs the network has the averaged weights.
    fused : bool
        Whether TensorFlow's XLA compiles the loop into native code.
    """

    def __init__(self, net: Any, batch_size: int, average: float, fused: bool) -> None:
        import tensorflow as tf

        self.net = net
        self._batch_size = batch_size
        self._average = average
        compile_as_usual(net, scaled=False)
        net.optimizer.build(net.trainable_variables)
        self._penalty = tf.Variable(1.0, trainable=False)
        self._n_steps = tf.Variable(0.0, trainable=False)
        self._averaged = [w for w in net.weights if average and "float" in str(w.dtype)]
        self._averages = [tf.Variable(w) for w in self._averaged]
        how = {"autograph": False, "jit_compile": fused}
        self._train = tf.function(lambda *batches: self._run(self._train_step, *batches), **how)
        self._measure = tf.function(lambda *batches: self._run(self._test_step, *batches), **how)

    def start(self, learning_rate: float, penalty: float = 1.0) -> None:
        """Reset the optimizer and the averages; ``penalty`` multiplies the layers' penalties."""
        optimizer = self.net.optimizer
        for variable in optimizer.variables:
            variable.assign(np.zeros(variable.shape))
        optimizer.learning_rate = learning_rate
        self.net.stop_training = False
        self._penalty.assign(penalty)
        self._n_steps.assign(0.0)
        for average, weight in zip(self._averages, self._averaged, strict=True):
            average.assign(weight.value)

    def train(
        self, epoch: Iterable[Batches], after: Callable[[int, dict[str, float]], None]
    ) -> dict[str, float]:
        """Train for one epoch; return its loss, cross-entropy and accuracy.

        ``after`` is called with the number of batches done and the same figures so far.
        """
        sums, done = np.zeros(_N_SUMS), 0
        self._swap_averages()
        for batches in epoch:
            sums += self._train(*_tensors(batches)).numpy()
            done += batches.n_batches
            after(done, _logs(sums))
            if self.net.stop_training:
                break
        self._swap_averages()
        return _logs(sums)

    def measure(self, epoch: Iterable[Batches]) -> dict[str, float]:
        """Loss, cross-entropy and accuracy of the network as it is."""
        sums = np.zeros(_N_SUMS)
        for batches in epoch:
            sums += self._measure(*_tensors(batches)).numpy()
        return _logs(sums)

    def _swap_averages(self) -> None:
        """Swap the network's weights and their averages."""
        for average, weight in zip(self._averages, self._averaged, strict=True):
            saved = weight.numpy().copy()
            weight.assign(average)
            average.assign(saved)

    # -- compiled ----------------------------------------------------------------------------------

    def _run(self, step: Callable[..., Any], X: Any, codes: Any, weight: Any, *rest: Any) -> Any:
        """Take a step for every batch, and add up the sums it returns."""
        import tensorflow as tf

        sizes, rates, n_batches = rest

        def body(i: Any, sums: Any) -> tuple[Any, Any]:
            first, n = i * self._batch_size, self._batch_size
            values = tf.cast(tf.slice(X, [first, 0], [n, X.shape[1]]), tf.float32)
            labels, weights = (tf.slice(each, [first], [n]) for each in (codes, weight))
            return i + 1, sums + step(values, labels, weights, sizes[i], rates[i])

        start = (tf.constant(0), tf.zeros(_N_SUMS))
        return tf.while_loop(lambda i, _: i < n_batches, body, start, parallel_iterations=1)[1]

    def _train_step(self, X: Any, codes: Any, weight: Any, size: Any, rate: Any) -> Any:
        """One step of Adam."""
        import tensorflow as tf

        variables = self.net.trainable_variables
        self.net.optimizer.learning_rate.assign(rate)
        with tf.GradientTape() as tape:
            loss, sums = self._loss_and_sums(X, codes, weight, size, training=True)
        self.net.optimizer.apply(tape.gradient(loss, variables), variables)
        if self._averages:
            self._n_steps.assign_add(1.0)
            # less momentum in the first steps, so that the initial weights are soon forgotten
            momentum = tf.minimum(self._average, self._n_steps / (self._n_steps + 9.0))
            for average, each in zip(self._averages, self._averaged, strict=True):
                average.assign(average + tf.cast(1.0 - momentum, average.dtype) * (each - average))
        return sums

    def _test_step(self, X: Any, codes: Any, weight: Any, size: Any, rate: Any) -> Any:
        """Measure only."""
        return self._loss_and_sums(X, codes, weight, size, training=False)[1]

    def _loss_and_sums(self, X: Any, codes: Any, weight: Any, size: Any, training: bool) -> Any:
        """The loss of a batch, and what it adds to the sums of the epoch."""
        import keras
        import tensorflow as tf

        answers = tf.cast(self.net(X, training=training), tf.float32)
        entropies = weight * keras.losses.sparse_categorical_crossentropy(codes, answers)
        entropy = tf.reduce_sum(entropies)
        penalties = [tf.cast(each, tf.float32) for each in self.net.losses]
        penalty = self._penalty * tf.add_n([tf.zeros(()), *penalties])
        hits = tf.cast(tf.argmax(answers, axis=1, output_type=tf.int32) == codes, tf.float32)
        sums = [entropy, penalty * size, size, tf.reduce_sum(weight * hits), tf.reduce_sum(weight)]
        return entropy / size + penalty, tf.stack(sums)


def compile_as_usual(net: Any, learning_rate: float = 1e-3, scaled: bool = True) -> None:
    """Compile a network as all are trained; ``scaled``: Keras may scale a half-precision loss."""
    import keras

    net.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="sparse_categorical_crossentropy",
        weighted_metrics=[
            keras.metrics.SparseCategoricalCrossentropy(name="cross_entropy"),
            "accuracy",
        ],
        auto_scale_loss=scaled,
    )


def _tensors(batches: Batches) -> Batches:
    """Convert to tensors, numbers too: each Python number would have a function compiled for it."""
    import tensorflow as tf

    return Batches(*(tf.convert_to_tensor(each) for each in batches))


def _logs(sums: NDArray[np.float64]) -> dict[str, float]:
    entropy, penalty, n_rows, hits, weight = sums.tolist()
    return {
        "loss": (entropy + penalty) / n_rows,
        "cross_entropy": entropy / weight if weight else 0.0,
        "accuracy": hits / weight if weight else 0.0,
    }
