"""Where fits run outside this thread: in worker processes of ours, or in the caller's executor."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import cloudpickle
import joblib
from sklearn import config_context

from mnist_models._running.fitting import Data, Outcome, Task, fit_and_predict
from mnist_models._running.job import (
    Job,
    JobResult,
    make_job,
    process_identity,
    run_job,
    write_progress,
)
from mnist_models._running.shipment import Shipment, scratch_folder, shipped, unpack
from mnist_models._running.threads import limit_to_one_thread, threads_per_worker
from mnist_models._running.workers import Workers, workers
from mnist_models._ticks import Hear, listening

# More fits than there ever are: all of them are submitted at once.
_UNLIMITED = 10**6


class Backend(Protocol):
    """What runs the fits.

    Attributes
    ----------
    folder : path
        Holds the progress files, in which each fit writes that it has begun and how many epochs
        are done.
    owns_workers : bool
        Whether each fit has a worker of ours: it then begins at once, and a worker's death is its
        own fit's fault. If not, fits may have to wait in a queue, and those that died together are
        tried again one by one.
    """

    folder: Path
    owns_workers: bool

    def n_at_once(self) -> int:
        """How many fits it takes at a time."""

    def submit(self, task: Task, progress_file: Path) -> Future[Any]:
        """Submit a fit. The future's result is an Outcome or a JobResult."""

    def cancel_stranded(self, running: Iterable[Future[Any]]) -> None:
        """Cancel fits that can never end."""

    def release(self, future: Future[Any]) -> None:
        """Clean up after a fit that has ended."""

    def discard(self, future: Future[Any]) -> None:
        """Clean up after a fit that has died, or stop one that is no longer wanted."""


class ProcessBackend:
    """Worker processes of ours, each with its share of the cores."""

    owns_workers = True

    def __init__(self, group: Workers, n_workers: int, shipment: Shipment, folder: Path) -> None:
        self.folder = folder
        self._group = group
        self._n_workers = n_workers
        self._shipment = shipment
        self.release, self.discard = group.release, group.discard

    def n_at_once(self) -> int:
        """One fit for each worker."""
        return self._n_workers

    def cancel_stranded(self, running: Iterable[Future[Any]]) -> None:
        """There are none: the future of a dead worker always ends."""

    def submit(self, task: Task, progress_file: Path) -> Future[Any]:
        """Begin a fit in an idle worker."""
        job = make_job(task, threads_per_worker(self._n_workers), progress_file)
        return self._group.submit(_fit_in_worker, cloudpickle.dumps(job), self._shipment)


class ExecutorBackend:
    """The caller's executor, whose workers we neither end nor replace. Each fit has one thread."""

    owns_workers = False

    def __init__(
        self, executor: Executor, n_at_once: int, shipment: Shipment, folder: Path
    ) -> None:
        self.folder = folder
        self._executor = executor
        self._n_at_once = n_at_once
        self._shipment = shipment

    def n_at_once(self) -> int:
        """As many as the caller asked for, or all."""
        return self._n_at_once

    def cancel_stranded(self, running: Iterable[Future[Any]]) -> None:
        """None are known: an executor tells nothing but its futures."""

    def submit(self, task: Task, progress_file: Path) -> Future[Any]:
        """Submit a fit, packed unless it stays in this process."""
        job = make_job(task, 1, progress_file)
        if self._shipment.file is None:
            return self._executor.submit(_fit_in_thread, job, unpack(self._shipment))
        return self._executor.submit(_fit_in_executor, cloudpickle.dumps(job), self._shipment)

    def release(self, future: Future[Any]) -> None:
        """Nothing to do."""

    def discard(self, future: Future[Any]) -> None:
        """Cancel a fit, if it has not begun."""
        future.cancel()


@contextmanager
def process_backend(n_workers: int, data: Data) -> Iterator[Backend]:
    """Worker processes, ended with the block however it ends."""
    with (
        scratch_folder() as folder,
        shipped(data, folder) as shipment,
        workers(n_workers, threads_per_worker(n_workers), folder) as group,
    ):
        yield ProcessBackend(group, n_workers, shipment, folder)


@contextmanager
def executor_backend(executor: Executor, n_jobs: int | None, data: Data) -> Iterator[Backend]:
    """The caller's executor; a pool on this machine gets at most one fit for each core."""
    threads = isinstance(executor, ThreadPoolExecutor)
    n_at_once = _UNLIMITED if n_jobs is None else n_jobs
    if threads or isinstance(executor, ProcessPoolExecutor):
        n_at_once = min(n_at_once, joblib.cpu_count())
    with (
        scratch_folder() as folder,
        shipped(data, None if threads else folder) as shipment,
    ):
        yield ExecutorBackend(executor, n_at_once, shipment, folder)


# -- in the worker ---------------------------------------------------------------------------------


def _fit_in_worker(packed: bytes, shipment: Shipment) -> JobResult:
    """Fit in a process of ours, whose number of threads was set when it started."""

    def fit(job: Job) -> Outcome:
        with listening(_begin(job)):
            return fit_and_predict(job.task, unpack(shipment), job.n_threads)

    return run_job(packed, fit)


def _fit_in_executor(packed: bytes, shipment: Shipment) -> JobResult:
    """Fit in a process of the caller's."""
    return run_job(packed, lambda job: fit_in_one_thread(job, unpack(shipment), _begin(job)))


def _fit_in_thread(job: Job, data: Data) -> Outcome:
    """Fit in a thread of this process; scikit-learn's settings are each thread's own."""
    with config_context(**job.config):
        return fit_in_one_thread(job, data, _begin(job))


def _begin(job: Job) -> Hear:
    """Write that the fit has begun; what is returned writes how many epochs are done."""
    write = partial(write_progress, job.progress_file)
    write(0, 0)
    return write


def fit_in_one_thread(job: Job, data: Data, on_epoch: Hear) -> Outcome:
    """Fit in a process that others use too.

    Parameters
    ----------
    job : Job
        What to fit.
    data : Data
        All rows.
    on_epoch : callable
        Called with the number of epochs done and of all.

    Returns
    -------
    Outcome
    """
    own_process = job.sender == process_identity()
    with listening(on_epoch), limit_to_one_thread(own_process=own_process):
        return fit_and_predict(job.task, data, job.n_threads)
