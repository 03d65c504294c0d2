"""The fits of a comparison: folds, one timed fit, many at once by joblib, kept by joblib.Memory."""

import hashlib
import importlib.metadata
import inspect
import multiprocessing
import os
import pickle
import platform
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import suppress
from math import inf
from pathlib import Path
from time import monotonic, perf_counter, sleep
from types import CodeType
from typing import Any, NamedTuple, TypeAlias

import joblib
import numpy as np
from joblib.externals.loky.backend.reduction import dumps
from joblib.hashing import NumpyHasher
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import BaseCrossValidator, StratifiedKFold, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_memory

from mnist_models._blas import one_blas_thread
from mnist_models._validation import warn_user
from mnist_models.evidence import evidence_of_fit
from mnist_models.results import Evaluation, Fit, Provenance

Rows: TypeAlias = NDArray[np.intp]
Labels: TypeAlias = NDArray[Any]
Folds: TypeAlias = list[tuple[Rows, Rows]]
CV: TypeAlias = "int | BaseCrossValidator | Iterable[tuple[ArrayLike, ArrayLike]]"
Scoring: TypeAlias = str | Callable[[Any, Any, Any], float] | None
Memory: TypeAlias = "str | os.PathLike[str] | joblib.Memory | None"
_ROWS_LOOKED_AT = 1000  # of the test set, for what a model looks at
# A fit's figures, its predictions, and its probabilities with the classes of their columns.
Result: TypeAlias = tuple[Fit, Labels, NDArray[np.float32] | None, Labels | None]


class Data(NamedTuple):
    """The data of all fits of a comparison."""

    X: Any
    y: Labels
    X_test: Any = None
    y_test: Labels | None = None
    params: Mapping[str, NDArray[Any]] = {}  # more arguments of fit, a value for each row of X


class Task(NamedTuple):
    """One fit to make: on a fold, or without one on all of X, for the test set.

    A fold without rows to predict is for the test set, too.
    """

    name: str
    model: Any
    number: int
    fold: tuple[Rows, Rows | None] | None
    scoring: Scoring
    reported: bool  # whether its predictions are the reported ones: then probabilities are kept
    n_rows: int | None = None  # fitted on, where a learning curve has fits on several numbers

    @property
    def part(self) -> str:
        """Which of the model's fits it is: ``"fold 3"``, ``"test"`` or ``"500 rows, test"``."""
        tested = self.fold is None or self.fold[1] is None
        part = "test" if tested else f"fold {self.number + 1}"
        return part if self.n_rows is None else f"{self.n_rows} rows, {part}"

    def __str__(self) -> str:
        return f"{self.name}, {self.part}"


# -- folds -----------------------------------------------------------------------------------------


def make_folds(data: Data, cv: CV, random_state: int | np.random.RandomState | None) -> Folds:
    """Folds that test every row once; an int for ``cv`` makes stratified, shuffled ones."""
    if isinstance(cv, int | np.integer):
        cv = StratifiedKFold(cv, shuffle=True, random_state=random_state)
    with warnings.catch_warnings():  # preflight() warns of this, too
        warnings.filterwarnings("ignore", "The least populated class in y has only", UserWarning)
        folds = [
            (np.asarray(train), np.asarray(held_out))
            for train, held_out in check_cv(cv, data.y, classifier=True).split(data.X, data.y)
        ]
    tested = np.sort(np.concatenate([[], *(held_out for _, held_out in folds)]))
    n_rows = len(data.y)
    if not np.array_equal(tested, np.arange(n_rows)):
        raise ValueError(
            "cv must test every row of X exactly once, so that the out-of-fold predictions are "
            f"complete. Got folds that test {len(tested)} rows, {len(np.unique(tested))} of them "
            f"different, for {n_rows} rows. Use an int, or KFold's kind of splitter."
        )
    n_leaked = sum(_n_shared(*fold, n_rows) for fold in folds)
    if n_leaked:
        raise ValueError(
            "cv must test every row by a model that was not fitted on it. Got folds that also "
            f"train on {n_leaked} of the {n_rows} rows they test. Take those out of the training "
            "parts, or use an int."
        )
    return folds


def _n_shared(train: Rows, held_out: Rows, n_rows: int) -> int:
    in_train = np.zeros(n_rows, dtype=bool)
    in_train[train] = True
    return int(np.count_nonzero(in_train[held_out]))


def make_tasks(
    models: Mapping[str, Any], folds: Folds, tested: bool, scoring: Scoring
) -> list[Task]:
    """Every model's folds, then its fit on all rows if there is a test set."""
    tasks = []
    for name, model in models.items():
        tasks += [
            Task(name, model, number, fold, scoring, reported=not tested)
            for number, fold in enumerate(folds)
        ]
        if tested:
            tasks.append(Task(name, model, len(folds), None, scoring, reported=True))
    return tasks


# -- one fit ---------------------------------------------------------------------------------------


def fit_and_predict(task: Task, data: Data) -> Result:
    """Fit a clone on a fold's training rows, or on all of X, and predict the test rows.

    BLAS has one thread meanwhile, so that the result depends neither on the number of cores nor on
    how many fits share them.
    """
    model = clone(task.model)
    X, y, params, X_test, y_test = _split(data, task.fold)
    with one_blas_thread(), _PeakMemory() as memory:
        start = perf_counter()
        model.fit(X, y, **params)
        fit_seconds = perf_counter() - start
        start = perf_counter()
        predictions = np.asarray(model.predict(X_test))
        predict_seconds = perf_counter() - start
    with one_blas_thread():
        score = float(check_scoring(model, scoring=task.scoring)(model, X_test, y_test))
        probabilities = classes = None
        if task.reported and hasattr(model, "predict_proba"):
            probabilities = np.asarray(model.predict_proba(X_test), dtype=np.float32)
            classes = np.asarray(model.classes_)
        evidence = None
        if task.fold is None:
            n_looked_at = min(len(y_test), _ROWS_LOOKED_AT)
            some = np.linspace(0, len(y_test) - 1, n_looked_at).astype(int)  # sorted by class?
            evidence = evidence_of_fit(model, _take(X_test, some), y_test[some])
    history, best_epoch = _history(final_estimator(model))
    fit = Fit(
        score,
        fit_seconds,
        predict_seconds,
        n_train=len(y),
        n_predicted=len(y_test),
        history=history,
        best_epoch=best_epoch,
        model_bytes=_pickled_bytes(model),
        peak_bytes=memory.rise,
        evidence=evidence,
    )
    return fit, predictions, probabilities, classes


def final_estimator(model: Any) -> Any:
    """The last step of a Pipeline, or the model itself."""
    return model[-1] if isinstance(model, Pipeline) else model


def _split(data: Data, fold: tuple[Rows, Rows | None] | None) -> tuple[Any, ...]:
    """The training rows, their labels and params, the rows to predict and their labels."""
    if fold is None:
        return data.X, data.y, data.params, data.X_test, data.y_test
    train, held_out = fold
    params = {name: values[train] for name, values in data.params.items()}
    fitted = _take(data.X, train), data.y[train], params
    if held_out is None:
        return *fitted, data.X_test, data.y_test
    return *fitted, _take(data.X, held_out), data.y[held_out]


def _take(X: Any, rows: Rows) -> Any:
    """Rows of an array, a sparse matrix or a DataFrame."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _history(model: Any) -> tuple[dict[str, list[float]] | None, int | None]:
    """The history and best epoch of a network like ours: a list of numbers for each metric."""
    history, best = getattr(model, "history_", None), getattr(model, "best_epoch_", None)
    is_ours = isinstance(history, dict) and all(
        isinstance(values, list) and all(isinstance(value, int | float) for value in values)
        for values in history.values()
    )
    if not is_ours:
        return None, None
    return history, int(best) if history and isinstance(best, int | np.integer) else None


class _PeakMemory:
    """The most memory that the process holds inside the block, above what it held at first.

    Looked at every 20 ms. Fits in threads share their process's memory, which then tells nothing.
    """

    _STATM = Path("/proc/self/statm")  # on Linux only

    rise: int | None = None

    def __enter__(self) -> "_PeakMemory":
        self._done, self._first = threading.Event(), None
        if self._STATM.exists() and threading.current_thread() is threading.main_thread():
            self._first = self._most = self._resident()
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        if self._first is not None:
            self.rise = max(self._most, self._resident()) - self._first

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self._most = max(self._most, self._resident())

    def _resident(self) -> int:
        return int(self._STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class _ByteCounter:
    """A file that only counts the bytes written to it."""

    n_bytes = 0

    def write(self, content: Any) -> int:
        size = memoryview(content).nbytes
        self.n_bytes += size
        return size


def _pickled_bytes(model: Any) -> int | None:
    """The size of a model's pickle, counted without keeping it; None if it has none."""
    counter = _ByteCounter()
    try:
        pickle.Pickler(counter, protocol=5).dump(model)
    except Exception:  # noqa: BLE001 - pickling runs a model's own code, which may raise anything
        return None
    return counter.n_bytes


# -- many fits, wherever joblib runs them ----------------------------------------------------------

# What a worker's death raises here, and lack of memory, which is as bad.
_DEATHS = (BrokenExecutor, CancelledError, MemoryError)


class Run:
    """The fits of one call: made by joblib, kept by joblib.Memory, counted by ``notify``.

    Parameters
    ----------
    data : Data
        What they are made on.
    records : Records
        Those of earlier calls.
    notify : callable
        Called with what happens to which task, once at a time.

    Attributes
    ----------
    results : dict of str to Result
        By the task's name.
    lost : dict of str to str
        Why the other tasks have no result.
    """

    def __init__(self, data: Data, records: "Records", notify: Callable[[str, Task], None]) -> None:
        self.results: dict[str, Result] = {}
        self.lost: dict[str, str] = {}
        self._data, self._records, self._notify = data, records, notify
        self._lock = threading.Lock()
        self._sent: dict[str, Task] = {}  # what joblib has taken and not returned, in that order
        self._begun: dict[str, float] = {}  # when the first of these began

    def make(self, tasks: Sequence[Task], n_jobs: int | None, timeout: float | None) -> None:
        """Make every fit that is not kept yet, as many at a time as joblib takes ``n_jobs`` for."""
        todo = [task for task in tasks if not self._is_kept(task)]
        at_most = max(1, min(joblib.effective_n_jobs(n_jobs), len(tasks)))
        if at_most == 1 and timeout is None:
            for task in todo:
                self._tell("begun", task)
                self._end(task, _attempt(task, self._data))
            return
        suspects: list[Task] = []
        while todo or suspects:
            # of the fits that ran when a worker died, one is to blame: alone, it shows which
            alone = bool(suspects)
            queue = suspects if alone else todo
            at_once = 1 if alone else at_most
            if alone and at_most > 1 and not _has_workers(n_jobs):
                for task in suspects:
                    self._lose(task, "its worker died, and no other has taken its place")
                suspects = []
                continue
            try:
                # two workers, because joblib takes one for this process
                self._make_round(queue, at_once, max(2, at_most), timeout)
            except _DEATHS as error:
                for task, _ in self._take_back(queue, at_once):
                    if alone:
                        self._lose(task, _reason(error))
                    else:
                        suspects.append(task)
                        self._tell("retried", task)
            except multiprocessing.TimeoutError:
                for task, begun in self._take_back(queue, at_once):
                    if monotonic() - begun >= (timeout or 0):
                        self._lose(task, f"it did not end within timeout={timeout:g} seconds")
                    else:
                        queue.insert(0, task)
                        self._tell("retried", task)

    def _make_round(
        self, queue: list[Task], at_once: int, n_workers: int, timeout: float | None
    ) -> None:
        """Empty the queue, or raise what ended joblib's work."""
        parallel = Parallel(
            n_workers,
            return_as="generator_unordered",
            batch_size=1,
            pre_dispatch=at_once,
            timeout=timeout,
        )
        with warnings.catch_warnings():
            # loky replaces workers that have grown, such as by loading TensorFlow
            warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
            outcomes = parallel(self._calls(queue, at_once))
            try:
                for name, outcome in outcomes:
                    self._end(self._sent[name], outcome)
                    self._mark_begun(at_once)
                    if timeout and min(self._begun.values(), default=inf) + timeout < monotonic():
                        raise multiprocessing.TimeoutError
            except BaseException as error:  # noqa: BLE001 - thrown on
                outcomes.throw(error)  # joblib ends the other fits, and raises it again

    def _calls(self, queue: list[Task], at_once: int) -> Iterator[Any]:
        """What joblib is to call; it takes the next when there is room, in a thread of its own."""
        while queue:
            task = queue.pop(0)
            with self._lock:
                self._sent[str(task)] = task
            self._mark_begun(at_once)
            yield delayed(_attempt_elsewhere)(os.getpid(), task, *self._data)

    def _mark_begun(self, at_once: int) -> None:
        """joblib takes more tasks than run at a time: the first of them run."""
        with self._lock:
            for name in list(self._sent)[:at_once]:
                if name not in self._begun:
                    self._begun[name] = monotonic()
                    self._notify("begun", self._sent[name])

    def _end(self, task: Task, outcome: Result | Exception) -> None:
        if isinstance(outcome, Exception):
            raise outcome
        self._records.write(task, outcome)
        self.results[str(task)] = outcome
        with self._lock:
            self._sent.pop(str(task), None)
            self._begun.pop(str(task), None)
            self._notify("finished", task)

    def _take_back(self, queue: list[Task], at_once: int) -> list[tuple[Task, float]]:
        """The tasks that ran when a round ended early, and when they began; others wait again."""
        sent, begun = list(self._sent.values()), self._begun
        self._sent, self._begun = {}, {}
        queue[:0] = sent[at_once:]
        return [(task, begun.get(str(task), inf)) for task in sent[:at_once]]

    def _is_kept(self, task: Task) -> bool:
        result = self._records.read(task)
        if result is not None:
            self.results[str(task)] = result
            self._tell("kept", task)
        return result is not None

    def _lose(self, task: Task, reason: str) -> None:
        self.lost[str(task)] = reason
        self._tell("lost", task)

    def _tell(self, what: str, task: Task) -> None:
        with self._lock:
            self._notify(what, task)


def _has_workers(n_jobs: int | None) -> bool:
    """Whether there are two workers, after three minutes at most, in which a cluster restarts them.

    With one, joblib fits in this process, where what killed the worker would kill the caller.
    """
    end = monotonic() + 180  # Dask runs what killed a worker three times more
    while monotonic() < end:
        sleep(1)  # a cluster hears of a death a moment later
        with suppress(TimeoutError):  # which Dask raises if there is no worker at all
            if joblib.effective_n_jobs(n_jobs) > 1:
                return True
    return False


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "it ran out of memory"
    words = " ".join(f"{type(error).__name__}: {error}".split())[:400].rstrip(":")
    return f"its worker died, perhaps because memory ran out ({words})"


def _attempt_elsewhere(caller: int, task: Task, *data: Any) -> tuple[str, Result | Exception]:
    """Fit in a worker. TensorFlow gets the share of threads that joblib gives other libraries."""
    if os.getpid() != caller:
        _end_with(caller)
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
            os.environ.setdefault(name, os.environ.get("OMP_NUM_THREADS", "1"))
    outcome = _attempt(task, Data(*data))
    if isinstance(outcome, Exception):
        # a traceback cannot be sent; nor can some errors, which would break the worker's pool
        outcome.add_note(f"In the worker:\n{''.join(traceback.format_exception(outcome))}")
        try:
            pickle.loads(dumps(outcome))  # as joblib does
        except Exception:  # noqa: BLE001 - an error's own code may raise anything
            sent = RuntimeError(f"{outcome!r} (given as text, because it cannot be pickled)")
            sent.__notes__ = outcome.__notes__
            outcome = sent
    return str(task), outcome


def _end_with(caller: int) -> None:
    """Let this process end when the one that started it is killed.

    loky's workers would wait for ever, each with all that it loaded, for a result to be taken.
    """
    name = "ends with its caller"

    def watch() -> None:
        while os.getppid() == caller:
            sleep(1)
        os._exit(1)

    if os.getppid() == caller and all(each.name != name for each in threading.enumerate()):
        threading.Thread(target=watch, name=name, daemon=True).start()


def _attempt(task: Task, data: Data) -> Result | Exception:
    """Fit, and return an error with a note that names the fit: joblib raises other errors."""
    try:
        return fit_and_predict(task, data)
    except SystemExit as error:  # it would end the caller
        found: Exception = RuntimeError(f"the model called exit({error.code!r})")
    except Exception as error:  # noqa: BLE001 - raised again by the caller
        found = error
    found.add_note(f"It was raised by the fit of {task}.")
    return found


# -- fits that joblib.Memory keeps -----------------------------------------------------------------


class Records:
    """The finished fits of this call and of earlier ones, in a folder if there is one.

    A fit is found again by a hash of all that determines it: data, fold, scorer, parameters and
    the versions of the libraries.

    Parameters
    ----------
    memory : str, path-like, joblib.Memory or None
        Where they are; None keeps nothing.
    origins : dict of str to Provenance
        Each model's, by name.
    """

    def __init__(self, memory: Memory, origins: Mapping[str, Provenance]) -> None:
        path = os.fspath(memory) if isinstance(memory, os.PathLike) else memory
        self._kept = check_memory(path).cache(_keep, ignore=["result"], verbose=0)
        self._origins = origins
        self._keys: dict[str, str] | None = None if memory is None else {}
        self._models: dict[str, Any] = {}

    def read(self, task: Task) -> Result | None:
        """The result of a task, or None if it has none, or a damaged one."""
        if self._keys is None:
            return None
        key = self._keys[str(task)] = self._key(task)
        if not self._kept.check_call_in_cache(key, None):
            return None
        try:
            result: Result = self._kept.call_and_shelve(key, None).get()
            if not isinstance(result[0], Fit):
                raise ValueError("it holds no fit")
        except Exception as error:  # noqa: BLE001 - whatever bytes make pickle and joblib raise
            message = f"The record of {task} in memory is damaged ({error!r}). It is fitted again."
            warn_user(RuntimeWarning(message))
            self._kept.call_and_shelve(key, None).clear()
            return None
        return result

    def write(self, task: Task, result: Result) -> None:
        """Keep a result, whole or not at all."""
        if self._keys is not None:
            self._kept(self._keys[str(task)], result)

    def _key(self, task: Task) -> str:
        origin = self._origins[task.name]
        if task.name not in self._models:
            params = task.model.get_params(deep=True)
            for name in sorted(params, key=lambda name: -name.count("__")):
                _hash(params[name], f"{name} of {task.name!r}")  # to name what has no hash
            self._models[task.name] = _hash(task.model, repr(task.name))
        scoring = _hash(task.scoring, "scoring")
        shared = origin.data_sha256, origin.versions, self._models[task.name], scoring
        return _hash((shared, task.fold, task.reported), "the folds")


def _keep(key: str, result: Result) -> Result:
    """What joblib.Memory keeps the result of, under the key alone."""
    return result


class _Hasher(NumpyHasher):
    """joblib's hash, but functions are told apart by their code, and models by what decides.

    joblib takes a function's name for all of it.
    """

    def __init__(self) -> None:
        super().__init__("sha1", coerce_mmap=True)
        self._inside: set[int] = set()

    def save(self, thing: Any) -> None:
        if inspect.isfunction(thing):
            thing = self._described(thing)
        elif isinstance(thing, type):
            thing = f"{thing.__module__}.{thing.__qualname__}"
        elif isinstance(thing, CodeType):
            thing = "code", thing.co_code, thing.co_names, thing.co_consts
        elif isinstance(thing, frozenset):  # has another order in every process
            thing = "frozenset", set(thing)
        elif hasattr(thing, "get_params"):
            params = thing.get_params(deep=False)
            thing = type(thing), {name: params[name] for name in params if _decides(name, params)}
        super().save(thing)

    def _described(self, function: Any) -> tuple[Any, ...]:
        """A function by its code, the values that it holds and the plain ones it names."""
        name = "function", function.__module__, function.__qualname__
        if id(function) in self._inside:  # it calls itself
            return name
        self._inside.add(id(function))
        held = inspect.getclosurevars(function)
        plain = {key: value for key, value in held.globals.items() if isinstance(value, _PLAIN)}
        defaults = function.__defaults__, function.__kwdefaults__
        return *name, function.__code__, *defaults, dict(held.nonlocals), plain


def _hash(thing: Any, name: str) -> str:
    """A hash that is the same in every process, or a TypeError that names the thing."""
    try:
        found: str = _Hasher().hash(thing)
    except Exception as error:
        raise TypeError(
            f"With memory, a later run must be able to tell whether {name} is the same. It cannot: "
            f"{type(error).__name__}: {error}. Use a value that can be pickled, or leave memory "
            "out."
        ) from error
    return found


def _decides(name: str, params: Mapping[str, Any]) -> bool:
    """Whether a parameter may change the result of a fit."""
    is_cache = name == "memory" and isinstance(params[name], str | joblib.Memory | None)
    return name not in ("n_jobs", "verbose") and not is_cache


# -- what a result depends on ----------------------------------------------------------------------

# Types whose repr distinguishes all values.
_PLAIN = (str, bytes, int, float, complex, bool, np.generic, type(None))

_LIBRARIES = ["mnist-models", "numpy", "scipy", "scikit-learn", "numba", "tensorflow", "keras"]
_LIBRARIES += ["scikeras"]


def origins_of(
    models: Mapping[str, Any], data: Data, folds: Folds, random_state: Any
) -> dict[str, Provenance]:
    """The provenance of each model's results."""
    test = () if data.y_test is None else (data.X_test, data.y_test)
    params = (thing for pair in sorted(data.params.items()) for thing in pair)
    data_sha256 = _sha256_of([data.X, data.y, *test, *params])
    folds_sha256 = _sha256_of(rows for fold in folds for rows in fold)
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return {
        name: Provenance(
            data_sha256,
            folds_sha256,
            _text(random_state),
            {"": _text(model)} | {k: _text(v) for k, v in sorted(model.get_params().items())},
            {"python": platform.python_version()} | versions,
        )
        for name, model in models.items()
    }


def _sha256_of(things: Iterable[Any]) -> str:
    """The SHA-256 of arrays, in whatever order they lie in memory, or of other picklable things."""
    content = hashlib.sha256()
    for thing in things:
        if isinstance(thing, np.ndarray) and not thing.dtype.hasobject:
            content.update(f"{thing.dtype.str} {thing.shape}".encode())
            # a block at a time: a transposed array would otherwise be copied whole
            for start in range(0, len(thing), 4096):
                content.update(thing[start : start + 4096].tobytes())
        else:
            content.update(joblib.hash(thing, "sha1", coerce_mmap=True).encode())
    return content.hexdigest()


def _text(value: Any) -> str:
    """A plain value as Python writes it, anything else by its class or name."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(map(_text, value))})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_text(key)}: {_text(item)}' for key, item in value.items())}}}"
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


# -- the fits of one model, assembled --------------------------------------------------------------


def assemble(
    name: str,
    scoring: Scoring,
    data: Data,
    folds: Folds,
    results: Sequence[Result],
    origin: Provenance,
) -> Evaluation:
    """One model's evaluation from the results of its folds and, if there is one, of its test."""
    in_folds, on_test = results[: len(folds)], results[len(folds) :]
    order = np.argsort(np.concatenate([held_out for _, held_out in folds]))
    predictions = np.concatenate([predicted for _, predicted, *_ in in_folds])
    y_test, tested = data.y_test, on_test[0][1] if on_test else None
    # predicted and known labels too: a model may have one of its own, such as "none of these"
    known = [labels for *_, labels in results if labels is not None]
    labels: list[Any] = [data.y, predictions, *known]
    labels += [] if y_test is None else [y_test, tested]
    classes: Labels = np.unique(np.concatenate(labels))
    probabilities = _stacked(name, on_test or in_folds, classes)
    return Evaluation(
        model_name=name,
        scoring=scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score"),
        classes=classes,
        y=data.y,
        out_of_fold=predictions[order],
        folds=tuple(fit for fit, *_ in in_folds),
        y_test=y_test,
        test_predictions=tested,
        test=on_test[0][0] if on_test else None,
        probabilities=probabilities if on_test or probabilities is None else probabilities[order],
        provenance=origin,
    )


def _stacked(
    name: str, results: Sequence[Result], classes: NDArray[Any]
) -> NDArray[np.float32] | None:
    """Probabilities with a column for every class: 0 for classes that a fit had not seen."""
    stacked = []
    for _, _, probabilities, known in results:
        if probabilities is None or known is None:
            return None
        if not np.isfinite(probabilities).all():
            warn_user(
                RuntimeWarning(
                    f"predict_proba of {name!r} gave values that are not finite, so no "
                    "probabilities are reported."
                )
            )
            return None
        columns = np.zeros((len(probabilities), len(classes)), dtype=np.float32)
        columns[:, np.searchsorted(classes, known)] = probabilities
        stacked.append(columns)
    return np.concatenate(stacked)
