"""The fits of a comparison: one after the other in this thread, or several at a time elsewhere."""

from collections.abc import Generator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple

import joblib

from mnist_models._running.backends import Backend, executor_backend, process_backend
from mnist_models._running.dask import client_of, dask_backend
from mnist_models._running.fitting import Data, Outcome, Task, fit_and_predict
from mnist_models._running.schedule import Callbacks, Lost, Schedule, errors_name
from mnist_models._ticks import listening


class RunOptions(NamedTuple):
    """How to run the fits; see :func:`mnist_models.evaluate`."""

    n_jobs: int | None = None
    executor: Executor | None = None
    timeout: float | None = None


def make_fits(
    tasks: Sequence[Task], data: Data, options: RunOptions, callbacks: Callbacks
) -> Generator[tuple[Task, Outcome | Lost], None, None]:
    """Make every fit, and yield each outcome as soon as there is one.

    Parameters
    ----------
    tasks : sequence of Task
        What to fit.
    data : Data
        On which rows.
    options : RunOptions
        Where, how many at a time, and how long each may take.
    callbacks : Callbacks
        Called meanwhile.

    Yields
    ------
    task, outcome : Task and Outcome or Lost
        In the order in which they end. A fit is lost if its worker dies twice, or if it exceeds
        the timeout.

    Raises
    ------
    Exception
        Whatever a fit raises, with a note that names the fit.
    """
    n_jobs = 1 if options.n_jobs is None else joblib.effective_n_jobs(options.n_jobs)
    alone = min(n_jobs, len(tasks)) <= 1
    if not tasks:
        return
    if alone and options.executor is None and options.timeout is None:
        for task in tasks:
            callbacks.begun(task)
            with listening(partial(callbacks.epoch, task)), errors_name(task):
                outcome = fit_and_predict(task, data)
            yield task, outcome
        return
    with _open_backend(options, min(n_jobs, len(tasks)), data) as backend:
        yield from Schedule(tasks, backend, options.timeout, callbacks).results()


def _open_backend(options: RunOptions, n_jobs: int, data: Data) -> AbstractContextManager[Backend]:
    if options.executor is None:
        return process_backend(min(n_jobs, joblib.cpu_count()), data)
    backend = executor_backend if client_of(options.executor) is None else dask_backend
    return backend(options.executor, None if options.n_jobs is None else n_jobs, data)
