"""How many threads each of several concurrent fits may use, so that they share the cores.

Our worker processes are told in their environment, before they start. In a process of the
caller's, and in a thread of this one, each fit is limited to one thread while it runs.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import joblib
from threadpoolctl import threadpool_limits

from mnist_models._linear.blas_threads import one_blas_thread

_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",  # what joblib takes n_jobs=-1 for
)
# joblib and loky do not set these for their workers
_TENSORFLOW = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def threads_per_worker(n_workers: int) -> int:
    """An equal share of the cores, at least one."""
    return max(1, joblib.cpu_count() // n_workers)


def environment_for(n_threads: int) -> dict[str, str]:
    """Environment variables that limit a new process to this many threads."""
    return dict.fromkeys((*_VARIABLES, *_TENSORFLOW), str(n_threads))


@contextmanager
def limit_to_one_thread(*, own_process: bool) -> Iterator[None]:
    """Limit the fit inside to one thread each of BLAS, OpenMP and TensorFlow.

    TensorFlow reads its limit once, when it is loaded. In the caller's own process it is left
    alone: its threads are as many as the cores, and all fits there share them.
    """
    if not own_process and "tensorflow" not in sys.modules:
        for name in _TENSORFLOW:
            os.environ.setdefault(name, "1")
    with one_blas_thread(alone=True), threadpool_limits(1, user_api="openmp"):
        yield


def limit_n_jobs(model: Any, n_threads: int) -> None:
    """Lower every ``n_jobs`` of a model to at most ``n_threads``; answers do not depend on it."""
    for name, value in model.get_params(deep=True).items():
        if name.split("__")[-1] == "n_jobs" and value is not None:
            # joblib is asked only if need be: in a Dask worker it warns that there is but one
            n_jobs = 1 if n_threads == 1 else min(joblib.effective_n_jobs(value), n_threads)
            model.set_params(**{name: n_jobs})
