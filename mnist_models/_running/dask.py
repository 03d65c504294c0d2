"""Fits on a Dask cluster, which is an executor that can be sent the rows beforehand."""

import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cloudpickle

from mnist_models._running.errand import Brought, Errand, carry_out, errand, leave_word
from mnist_models._running.fitting import Data, Outcome, Task
from mnist_models._running.places import Place, fit_held
from mnist_models._running.shipment import scratch_folder


def client_of(executor: Executor) -> Any:
    """The client behind ``client.get_executor()``, which keeps it under no public name; or None."""
    client = getattr(executor, "_client", None)
    return client if hasattr(client, "scatter") else None


class OnDask:
    """A Dask cluster. Every worker gets the rows once, from here or from another worker."""

    ours = False

    def __init__(self, executor: Executor, n_jobs: int | None, data: Data, folder: Path) -> None:
        self.folder = folder
        self._topic = f"mnist_models-{uuid.uuid4().hex}"
        self._executor, self._client = executor, client_of(executor)
        self._n_jobs = n_jobs
        self._data = data
        self._rows: Any = None
        self._deserted = False

    def n_at_once(self) -> int:
        """As many as the workers have threads now, so that a fit that is handed over begins."""
        # without any, the next fit will show it
        return max(1, self._n_threads()) if self._n_jobs is None else self._n_jobs

    def submit(self, task: Task, word: Path) -> Future[Any]:
        """Hand a fit over, and before the first one the rows."""
        if self._client.status != "running":
            raise BrokenExecutor(f"the Dask client is {self._client.status}")
        if self._rows is None or self._rows.status != "finished":
            self._send()
        packed = cloudpickle.dumps(errand(task, 1, word))
        submit: Any = self._executor.submit  # which takes more than others do
        # not pure: two fits that look alike are two fits
        future: Future[Any] = submit(_fit_on_dask, packed, self._rows, self._topic, pure=False)
        return future

    def look(self, running: Iterable[Future[Any]]) -> None:
        """Give up what waits for rows that nobody has any more: Dask lets it wait for ever."""
        if self._rows is not None and self._rows.status != "finished":
            for future in running:
                if future.cancel():
                    future.set_running_or_notify_cancel()  # without which nobody hears of it

    def release(self, future: Future[Any]) -> None:
        """Nothing is left of it."""

    def discard(self, future: Future[Any]) -> None:
        """Take a fit back, if it has not begun."""
        future.cancel()

    def close(self) -> None:
        """Let the cluster forget the rows, of which no future is left."""
        if self._rows is not None and self._client.status == "running":
            self._client.unsubscribe_topic(self._topic)
        self._rows = None

    def _hear(self, event: Any) -> None:
        """Write down what a worker says of a fit, which may not see the folder."""
        _, (word, done, total) = event
        leave_word(self.folder / word, done, total)

    def _n_threads(self) -> int:
        if self._client.status != "running":
            return 0
        try:
            return sum(self._client.nthreads().values())
        except OSError:  # the cluster does not answer
            return 0

    def _send(self) -> None:
        """Bring the rows to every worker there is; again, if all that had them have died."""
        # it waits half a minute for one, which need not be repeated while there is none
        if self._deserted and not self._n_threads():
            raise BrokenExecutor("the Dask cluster has no workers")
        try:
            (self._rows,) = self._client.scatter([self._data], broadcast=True, hash=False)
        except TimeoutError as error:
            self._deserted = True
            raise BrokenExecutor("the Dask cluster has no workers") from error
        self._client.subscribe_topic(self._topic, self._hear)


@contextmanager
def on_dask(executor: Executor, n_jobs: int | None, data: Data) -> Iterator[Place]:
    """A cluster, heard of while inside."""
    with scratch_folder() as folder:
        place = OnDask(executor, n_jobs, data, folder)
        try:
            yield place
        finally:
            place.close()


def _fit_on_dask(packed: bytes, data: Data, topic: str) -> Brought:
    """Make a fit in a worker of Dask's, which passes on what it says."""
    from distributed import get_worker

    worker = get_worker()

    def fit(given: Errand) -> Outcome:
        def hear(done: int, total: int) -> None:
            worker.log_event(topic, (given.word.name, done, total))

        hear(0, 0)
        return fit_held(given, data, hear)

    return carry_out(packed, fit)
