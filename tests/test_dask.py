"""The fits of a comparison on a Dask cluster: two worker processes, one of them killed."""

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_models import Step, compare, evaluate
from mnist_models._ticks import tell
from mnist_models.exceptions import WorkerLostError

from .conftest import Split, quick_model
from .misbehaving import Misbehaving, fits_made, numbered_rows
from .test_engine import Prober, same_results

# distributed leaves sockets and loops for the collector, and warns of them itself
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    # what Prober asks joblib, it is told by this
    pytest.mark.filterwarnings("ignore:Inside a Dask worker:UserWarning"),
]


@contextmanager
def _cluster() -> Iterator[Any]:
    """Two worker processes on this machine, and a client."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
    gc.collect()  # what it left open: here, where nobody minds


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """For tests that do no harm."""
    with _cluster() as client:
        yield client


@pytest.fixture
def fresh_client() -> Iterator[Any]:
    """For one that kills workers."""
    with _cluster() as client:
        yield client


def test_results_are_those_made_here(client: Any, digits: Split) -> None:
    X, X_test, y, y_test = digits
    models = {name: quick_model(name) for name in ("logistic", "forest")}
    arguments: dict[str, Any] = {"test": (X_test, y_test), "cv": 2}
    here = compare(models, X, y, **arguments)
    same_results(here, compare(models, X, y, executor=client.get_executor(), **arguments))


@pytest.mark.slow
def test_a_network_is_fitted_there_too(client: Any, digits: Split) -> None:
    X, _, y, _ = digits
    network = quick_model("network", epochs=3)
    here = evaluate(network, X, y, cv=2)
    there = evaluate(network, X, y, cv=2, executor=client.get_executor())
    # a worker adds up in one thread, this process in several: the last digits may differ
    assert (there.y_pred == here.y_pred).mean() > 0.99
    assert there.folds[0].history is not None


def test_every_fit_has_one_thread_and_the_rows_go_there_once(client: Any) -> None:
    X, y = numbered_rows()
    found = evaluate(
        Prober(n_jobs=-1), X, y, test=(X + 0.1, y), cv=3, executor=client.get_executor()
    )
    for fold in found.folds:
        assert fold.history is not None
        assert fold.history["process"] != [os.getpid()]
        assert fold.history["tensorflow"] == [1]
        assert set(fold.history["blas"]) == {1}
        assert fold.history["n_jobs"][0] == 1


def test_large_rows_are_not_sent_with_every_fit(client: Any) -> None:
    """Dask warns of tasks that carry more than 10 MB, and warnings are errors here."""
    X, y = numbered_rows(300)
    evaluate(Prober(), np.repeat(X, 2000, axis=1), y, cv=2, executor=client.get_executor())


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_costs_nothing(fresh_client: Any, tmp_path: Path) -> None:
    X, y = numbered_rows()
    model = Misbehaving("nap", tmp_path)
    expected = evaluate(Misbehaving("nothing", tmp_path), X, y, cv=6)
    before = fits_made(tmp_path)

    def kill_a_worker() -> None:
        while fits_made(tmp_path) < before + 2:
            time.sleep(0.02)
        pids = [worker["pid"] for worker in fresh_client.run(lambda: {"pid": os.getpid()}).values()]
        os.kill(pids[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_a_worker)
    killer.start()
    found = evaluate(model, X, y, cv=6, executor=fresh_client.get_executor())
    killer.join()
    assert (found.y_pred == expected.y_pred).all()


@pytest.mark.slow
def test_a_fold_that_kills_every_worker_is_lost_and_the_others_go_on(
    fresh_client: Any, tmp_path: Path
) -> None:
    X, y = numbered_rows()
    models = {"fine": Misbehaving("nothing", tmp_path), "bad": Misbehaving("die", tmp_path)}
    with pytest.raises(WorkerLostError, match=r"1 of 6 fits were lost. bad, fold") as caught:
        compare(models, X, y, cv=3, executor=fresh_client.get_executor())
    assert list(caught.value.finished) == ["fine"]


@pytest.mark.slow
def test_a_cluster_that_goes_away_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    from distributed import Client, LocalCluster

    X, y = numbered_rows()
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0")
    with Client(cluster) as client:

        def close_when_it_has_begun() -> None:
            while not fits_made(tmp_path):
                time.sleep(0.02)
            cluster.close()

        closing = threading.Thread(target=close_when_it_has_begun)
        closing.start()
        with pytest.raises(WorkerLostError, match="fits were lost"):
            evaluate(Misbehaving("hang", tmp_path), X, y, cv=2, executor=client.get_executor())
        closing.join()


class Telling(Misbehaving):
    """Naps, and tells of epochs as a network does."""

    def fit(self, X: Any, y: Any) -> "Telling":
        for epoch in (1, 2):
            tell(epoch, 2)
            time.sleep(0.5)
        super().fit(X, y)
        return self


def test_word_of_epochs_comes_over_the_network(client: Any, tmp_path: Path) -> None:
    """A worker on another machine sees no folder of this one."""
    steps: list[Step] = []
    evaluate(
        Telling("nothing", tmp_path),
        *numbered_rows(),
        cv=2,
        executor=client.get_executor(),
        progress=steps.append,
    )
    for part in ("fold 1", "fold 2"):
        told = [(step.what, step.epoch) for step in steps if step.part == part]
        assert told[0] == ("begun", None)
        assert ("epoch", 2) in told
        assert told[-1] == ("finished", None)


def test_a_cluster_in_this_process_leaves_it_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import Client
    from threadpoolctl import threadpool_info

    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info()]

    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.delenv(name, raising=False)
    before = threads()
    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as here:
        found = evaluate(Prober(n_jobs=-1), *numbered_rows(), cv=3, executor=here.get_executor())
    gc.collect()
    for fold in found.folds:
        assert fold.history is not None
        assert fold.history["process"] == [os.getpid()]
        assert set(fold.history["blas"]) == {1}
    assert not any(name.startswith("TF_NUM") for name in os.environ)
    assert threads() == before


@pytest.mark.slow
def test_workers_that_come_late_are_found(tmp_path: Path) -> None:
    """That there were none is not held against those that come."""
    import dask
    from distributed import Client, LocalCluster

    from mnist_models._running.dask import DaskBackend
    from mnist_models._running.fitting import Data, Task
    from mnist_models._running.job import JobResult

    X, y = numbered_rows()
    rows = np.arange(len(y))
    task = Task("model", Misbehaving("nothing", tmp_path), 0, (rows, rows), None, False)
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        backend = DaskBackend(client.get_executor(), None, Data(X, y, None), tmp_path)
        for _ in range(2):  # the second without waiting
            with pytest.raises(BrokenExecutor, match="has no workers"):
                backend.submit(task, tmp_path / "progress")
        cluster.scale(1)
        client.wait_for_workers(1)
        assert isinstance(backend.submit(task, tmp_path / "progress").result(60), JobResult)
