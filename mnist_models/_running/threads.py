"""The threads that one of several fits may have, so that all together have no more than the cores.

A worker process of ours gets its share before it starts, in its environment. In a process of
somebody else's, and in a thread of this one, each fit is held to one thread while it runs.
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
# joblib's and loky's workers know nothing of these
_TENSORFLOW = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def share_of(n_workers: int) -> int:
    """How many threads each of so many workers may have, at least one."""
    return max(1, joblib.cpu_count() // n_workers)


def environment_for(n_threads: int) -> dict[str, str]:
    """What a new process must find in its environment to keep to so many threads."""
    return dict.fromkeys((*_VARIABLES, *_TENSORFLOW), str(n_threads))


@contextmanager
def held_to_one_thread(*, own_process: bool) -> Iterator[None]:
    """Let the fit inside have one thread for BLAS, one for OpenMP and one for TensorFlow.

    TensorFlow asks once, when it is loaded, and then for good: in the caller's own process,
    where its threads are as many as the cores however many fits share them, it is left alone.
    """
    if not own_process and "tensorflow" not in sys.modules:
        for name in _TENSORFLOW:
            os.environ.setdefault(name, "1")
    with one_blas_thread(alone=True), threadpool_limits(1, user_api="openmp"):
        yield


def hold_jobs(model: Any, n_threads: int) -> None:
    """Cut every ``n_jobs`` of a model down to so many threads; its answers do not depend on it."""
    for name, value in model.get_params(deep=True).items():
        if name.split("__")[-1] == "n_jobs" and value is not None:
            # joblib is not asked in vain: in a worker of Dask's it warns that there is but one
            n_jobs = 1 if n_threads == 1 else min(joblib.effective_n_jobs(value), n_threads)
            model.set_params(**{name: n_jobs})
