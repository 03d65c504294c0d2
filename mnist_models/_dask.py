"""Fits on a Dask cluster, which is an executor that can be sent the rows beforehand."""

from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mnist_models._fitting import Data, Outcome, Task
from mnist_models._places import Hold, Somebodys, fit_held


def client_of(executor: Executor) -> Any:
    """The client behind ``client.get_executor()``, which keeps it under no public name; or None."""
    client = getattr(executor, "_client", None)
    return client if hasattr(client, "scatter") else None


class OnDask(Somebodys):
    """A Dask cluster. Every worker gets the rows once, from here or from another worker."""

    def __init__(self, executor: Executor, n_jobs: int | None, folder: Path) -> None:
        super().__init__(executor, n_jobs, folder)
        self._client = client_of(executor)
        self._rows: Any = None
        self._deserted = False

    @contextmanager
    def with_rows(self, data: Data) -> Iterator["OnDask"]:
        """Keep the rows at hand, to be sent when there are workers."""
        self._data = data
        try:
            yield self
        finally:
            for future in self._running:
                future.cancel()
            self._rows = None  # no future of it is left: the cluster forgets them

    def n_at_once(self) -> int:
        """As many as the workers have threads now, so that a fit that is handed over begins."""
        if self._n_jobs is not None:
            return self._n_jobs
        try:
            return max(1, sum(self._client.nthreads().values()))
        except OSError:  # the cluster does not answer: the next fit will show it
            return 1

    def look(self) -> None:
        """Give up what waits for rows that nobody has any more: Dask lets it wait for ever."""
        if self._rows is not None and self._rows.status != "finished":
            for future in list(self._running):
                if future.cancel():
                    future.set_running_or_notify_cancel()  # without which nobody hears of it

    def _hand_over(self, task: Task, hold: Hold) -> Future[Outcome]:
        if self._client.status != "running":
            raise BrokenExecutor(f"the Dask client is {self._client.status}")
        if self._rows is None or self._rows.status != "finished":
            self._send()
        submit: Any = self._executor.submit  # which takes more than others do
        # not pure: two fits that look alike are two fits
        future: Future[Outcome] = submit(fit_held, task, self._rows, hold, pure=False)
        return future

    def _send(self) -> None:
        """Bring the rows to every worker there is; again, if all that had them have died."""
        if self._deserted:
            raise BrokenExecutor("the Dask cluster has no workers")
        try:
            (self._rows,) = self._client.scatter([self._data], broadcast=True, hash=False)
        except TimeoutError as error:
            self._deserted = True  # half a minute's wait, which the next fit need not repeat
            raise BrokenExecutor("the Dask cluster has no workers") from error
