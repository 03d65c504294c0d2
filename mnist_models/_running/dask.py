"""Fits on a Dask cluster: an executor whose workers can be sent the rows beforehand."""

import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cloudpickle

from mnist_models._running.backends import Backend, fit_in_one_thread
from mnist_models._running.fitting import Data, Outcome, Task
from mnist_models._running.job import Job, JobResult, make_job, run_job, write_progress
from mnist_models._running.shipment import scratch_folder


def client_of(executor: Executor) -> Any:
    """The client behind ``client.get_executor()``, which has no public name for it, or None."""
    client = getattr(executor, "_client", None)
    return client if hasattr(client, "scatter") else None


class DaskBackend:
    """A Dask cluster. Every worker gets the rows once, from here or from another worker."""

    owns_workers = False

    def __init__(self, executor: Executor, n_jobs: int | None, data: Data, folder: Path) -> None:
        self.folder = folder
        self._topic = f"mnist_models-{uuid.uuid4().hex}"
        self._executor, self._client = executor, client_of(executor)
        self._n_jobs = n_jobs
        self._data = data
        self._rows: Any = None
        self._had_no_workers = False

    def n_at_once(self) -> int:
        """One for each thread that the workers have now, so that a fit begins when submitted."""
        # at least one: submitting it finds out that there are no workers
        return max(1, self._n_threads()) if self._n_jobs is None else self._n_jobs

    def submit(self, task: Task, progress_file: Path) -> Future[Any]:
        """Submit a fit, and send the rows before the first one."""
        if self._client.status != "running":
            raise BrokenExecutor(f"the Dask client is {self._client.status}")
        if self._rows is None or self._rows.status != "finished":
            self._send_rows()
        packed = cloudpickle.dumps(make_job(task, 1, progress_file))
        submit: Any = self._executor.submit  # takes more arguments than other executors do
        # pure=False: Dask would run two equal calls only once
        future: Future[Any] = submit(_fit_on_dask, packed, self._rows, self._topic, pure=False)
        return future

    def cancel_stranded(self, running: Iterable[Future[Any]]) -> None:
        """Cancel fits that wait for rows lost with their workers; Dask lets them wait for ever."""
        if self._rows is not None and self._rows.status != "finished":
            for future in running:
                if future.cancel():
                    future.set_running_or_notify_cancel()  # else wait() does not return it

    def release(self, future: Future[Any]) -> None:
        """Nothing to do."""

    def discard(self, future: Future[Any]) -> None:
        """Cancel a fit, if it has not begun."""
        future.cancel()

    def close(self) -> None:
        """Let the cluster release the rows."""
        if self._rows is not None and self._client.status == "running":
            self._client.unsubscribe_topic(self._topic)
        self._rows = None

    def _on_event(self, event: Any) -> None:
        """Write progress on a worker's behalf: it may not see the folder."""
        _, (file_name, done, total) = event
        write_progress(self.folder / file_name, done, total)

    def _n_threads(self) -> int:
        if self._client.status != "running":
            return 0
        try:
            return sum(self._client.nthreads().values())
        except OSError:  # the scheduler does not answer
            return 0

    def _send_rows(self) -> None:
        """Send the rows to every worker there is; again, if all that had them have died."""
        # scatter waits half a minute for a worker: once is enough while there is none
        if self._had_no_workers and not self._n_threads():
            raise BrokenExecutor("the Dask cluster has no workers")
        try:
            (self._rows,) = self._client.scatter([self._data], broadcast=True, hash=False)
        except TimeoutError as error:
            self._had_no_workers = True
            raise BrokenExecutor("the Dask cluster has no workers") from error
        self._client.subscribe_topic(self._topic, self._on_event)


@contextmanager
def dask_backend(executor: Executor, n_jobs: int | None, data: Data) -> Iterator[Backend]:
    """A cluster, which releases the rows at the end."""
    with scratch_folder() as folder:
        backend = DaskBackend(executor, n_jobs, data, folder)
        try:
            yield backend
        finally:
            backend.close()


def _fit_on_dask(packed: bytes, data: Data, topic: str) -> JobResult:
    """Fit in one of Dask's workers, which sends progress as events."""
    from distributed import get_worker

    worker = get_worker()

    def fit(job: Job) -> Outcome:
        def send_progress(done: int, total: int) -> None:
            worker.log_event(topic, (job.progress_file.name, done, total))

        send_progress(0, 0)
        return fit_in_one_thread(job, data, send_progress)

    return run_job(packed, fit)
