"""The fits of a comparison, made one after the other here, or several at a time elsewhere."""

from collections.abc import Generator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple

import joblib

from mnist_models._running.dask import client_of, on_dask
from mnist_models._running.fitting import Data, Outcome, Task, fit_and_predict
from mnist_models._running.places import Place, own_processes, somebodys
from mnist_models._running.schedule import Hearing, Lost, Schedule, named
from mnist_models._ticks import listening


class Asked(NamedTuple):
    """How the fits are to be made; each as ``evaluate`` has it."""

    n_jobs: int | None = None
    executor: Executor | None = None
    timeout: float | None = None


def make_fits(
    tasks: Sequence[Task], data: Data, asked: Asked, hearing: Hearing
) -> Generator[tuple[Task, Outcome | Lost], None, None]:
    """Make every fit, and say what came of each, as soon as it is done.

    Parameters
    ----------
    tasks : sequence of Task
        What to fit.
    data : Data
        On which rows.
    asked : Asked
        Where, how many at a time, and how long each may take.
    hearing : Hearing
        Who is told meanwhile.

    Yields
    ------
    task, outcome : Task and Outcome or Lost
        In the order in which they end. A fit is lost if its worker dies twice, or if it takes
        longer than it may.

    Raises
    ------
    Exception
        Whatever a fit raises, with a note of which it was.
    """
    n_jobs = 1 if asked.n_jobs is None else joblib.effective_n_jobs(asked.n_jobs)
    alone = min(n_jobs, len(tasks)) <= 1
    if not tasks:
        return
    if alone and asked.executor is None and asked.timeout is None:
        for task in tasks:
            hearing.begun(task)
            with listening(partial(hearing.epochs, task)), named(task):
                outcome = fit_and_predict(task, data)
            yield task, outcome
        return
    with _where(asked, min(n_jobs, len(tasks)), data) as place:
        yield from Schedule(tasks, place, asked.timeout, hearing).results()


def _where(asked: Asked, n_jobs: int, data: Data) -> AbstractContextManager[Place]:
    if asked.executor is None:
        return own_processes(min(n_jobs, joblib.cpu_count()), data)
    kind = somebodys if client_of(asked.executor) is None else on_dask
    return kind(asked.executor, None if asked.n_jobs is None else n_jobs, data)
