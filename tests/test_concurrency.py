"""Threads that predict and fit at once; and what a process finds of its own after a fit."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from mnist_models import MODEL_NAMES

from .conftest import Split, quick_model


def _at_once(call: Any, n: int) -> list[Any]:
    """What so many threads get that begin together."""
    start = threading.Barrier(n)

    def one(number: int) -> Any:
        start.wait(timeout=60)
        return call(number)

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(one, range(n)))


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_threads_that_predict_at_once_get_what_one_gets(name: str, fitted_all: Any) -> None:
    models, X, _ = fitted_all
    # rows of one, of some, and of more than the forest asks its trees in turn
    parts = [X[:1], X[1:30], X[30:60], np.tile(X, (3, 1)), X[5:6], X]
    expected = [models[name].predict_proba(part) for part in parts]
    found = _at_once(lambda i: models[name].predict_proba(parts[i]), len(parts))
    for probabilities, alone in zip(found, expected, strict=True):
        np.testing.assert_array_equal(probabilities, alone)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_fit_and_its_neighbours_answers_do_not_meet(name: str, fitted_all: Any) -> None:
    """One thread fits a model of the same kind, or of another, while others ask."""
    models, X, y = fitted_all
    expected = {each: model.predict_proba(X) for each, model in models.items()}

    def one(number: int) -> Any:
        if number == 0:
            return clone(models[name]).fit(X, y).predict_proba(X)
        each = MODEL_NAMES[number % 3]
        return [(each, models[each].predict_proba(X)) for _ in range(5)]

    again, *answers = _at_once(one, 7)
    np.testing.assert_array_equal(again, expected[name])
    for each, answer in (pair for pairs in answers for pair in pairs):
        # a fit limits BLAS to one thread, and with another number a product rounds differently
        np.testing.assert_allclose(answer, expected[each], rtol=1e-4, atol=1e-7)


@pytest.fixture(scope="module")
def fitted_all(digits: Split) -> Any:
    """All three, with the rows they were fitted on."""
    X, _, y, _ = digits
    X, y = X[:200], y[:200]
    quick = {"network": {"epochs": 2}}
    models = {name: quick_model(name, **quick.get(name, {})).fit(X, y) for name in MODEL_NAMES}
    return models, X, y


# What belongs to the process: before anything of ours is imported, and after each step.
_PROCESS = """
import hashlib, json, locale, logging, os, random, signal, sys, threading, warnings
import numpy as np, sklearn
import keras, tensorflow as tf
from threadpoolctl import threadpool_info
tf.zeros(1)
names = sorted(logging.root.manager.loggerDict)
loggers = [logging.root, *map(logging.getLogger, names)]

def state():
    from tensorflow.python.framework.config import is_op_determinism_enabled
    from tensorflow.python.eager import context
    return dict(
        dtype_policy=keras.config.dtype_policy().name,
        floatx=keras.config.floatx(),
        epsilon=keras.config.epsilon(),
        image_data_format=keras.config.image_data_format(),
        backend=keras.config.backend(),
        traceback_filtering=keras.config.is_traceback_filtering_enabled(),
        interactive_logging=keras.config.is_interactive_logging_enabled(),
        determinism=is_op_determinism_enabled(),
        eager=tf.executing_eagerly(),
        functions_eager=tf.config.functions_run_eagerly(),
        graph=tf.compat.v1.get_default_graph().building_function,
        jit=str(tf.config.optimizer.get_jit()),
        optimizer=str(tf.config.optimizer.get_experimental_options()),
        tf_threads=(tf.config.threading.get_inter_op_parallelism_threads(),
                    tf.config.threading.get_intra_op_parallelism_threads()),
        soft_placement=tf.config.get_soft_device_placement(),
        tensor_float_32=tf.config.experimental.tensor_float_32_execution_enabled(),
        tf_log=tf.get_logger().level,
        tf_filters=len(tf.get_logger().filters),
        autograph_verbosity=os.environ.get("AUTOGRAPH_VERBOSITY"),
        custom_objects=sorted(keras.saving.get_custom_objects()),
        environment=dict(os.environ),
        logs=[(each.level, each.disabled, len(each.handlers), len(each.filters))
              for each in loggers],
        disabled=logging.root.manager.disable,
        handlers=len(logging.root.handlers),
        numpy=np.random.get_state()[1].tolist(),
        python=hash(random.getstate()),
        np_errors=np.geterr(),
        np_print=str(np.get_printoptions()),
        filters=[str(each) for each in warnings.filters],
        showwarning=warnings.showwarning.__qualname__,
        signals=[str(signal.getsignal(each)) for each in (2, 15, 17)],
        sklearn=str(sklearn.get_config()),
        blas=sorted((each["filepath"], each["num_threads"]) for each in threadpool_info()
                    if each["user_api"] == "blas" and "numpy" in each["filepath"]),
        hooks=(sys.excepthook.__qualname__, threading.excepthook.__qualname__),
        recursion=sys.getrecursionlimit(),
        switch=sys.getswitchinterval(),
        folder=os.getcwd(),
        locale=locale.setlocale(locale.LC_ALL),
        streams=(sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__,
                 os.fstat(1).st_ino, os.fstat(2).st_ino),
        threads=sorted(each.name for each in threading.enumerate()),
    )

steps = {"before": state()}
from mnist_models import *
steps["import"] = state()
digits = load_sample_digits().sample(300, random_state=0)
X, y = digits.data, digits.target
for name, params in [("logistic", {}), ("forest", {"n_estimators": 3}), ("network", {"epochs": 1})]:
    for recipe in ("classic", "accurate"):
        model = make_model(name, recipe=recipe, random_state=0, **params).fit(X, y)
        steps[f"fit of the {name}, {recipe}"] = state()
        model.predict(X)
        steps[f"predict of the {name}, {recipe}"] = state()
evaluate(make_model("logistic", random_state=0), X, y, cv=2)
steps["evaluate"] = state()
print(json.dumps(steps))
"""


@pytest.mark.slow
def test_a_process_finds_everything_as_it_was() -> None:
    """Settings of Keras and TensorFlow, generators, environment, logging, warnings, signals.

    Importing scikeras changes how Keras models are pickled, which docs/why.md says.
    """
    done = subprocess.run(
        [sys.executable, "-c", _PROCESS], capture_output=True, text=True, timeout=300, check=True
    )
    steps = json.loads(done.stdout)
    before = steps.pop("before")
    assert len(steps) == 14
    for step, after in steps.items():
        changed = {name for name in before if before[name] != after[name]}
        assert not changed, (step, {name: (before[name], after[name]) for name in changed})
