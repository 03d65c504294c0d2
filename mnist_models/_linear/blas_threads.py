"""Several Python threads with one BLAS thread each; the setting is restored afterwards.

A matrix product with a block of rows is too small for BLAS to divide well: its threads wait for
each other longer than they work. Python threads, each with its own blocks, need not wait.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

Map = Callable[..., Iterable[Any]]


class _Limit:
    """A limit of one BLAS thread, in force while at least one fit needs it.

    The number of BLAS threads is a setting of the whole process. If overlapping fits each restored
    what they had found, the last might restore another fit's limit. So the first to enter saves the
    setting, and the last to leave restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: set[object] = set()
        self._found: list[int] = []

    def enter(self, user: object, *, look: bool) -> int:
        """Set the limit; return the number of threads BLAS would have used without it.

        ``look`` for BLAS libraries loaded since the last time, which takes milliseconds.
        """
        with self._lock:
            if not self._users:
                if look:
                    _libraries.cache_clear()
                self._found = _thread_counts()
                self._users.add(user)  # from here on, leave() has something to restore
                _set_thread_counts([1] * len(self._found))
            self._users.add(user)
            return max(self._found, default=1)

    def leave(self, user: object) -> None:
        """Lift the limit if this was the last to leave; do nothing if it has not entered."""
        with self._lock:
            if self._users == {user}:
                _set_thread_counts(self._found)
            self._users.discard(user)


_LIMIT = _Limit()

# True where a fit may start no threads of its own.
_alone: ContextVar[bool] = ContextVar("mnist_models_alone", default=False)


@cache
def _libraries() -> list[Any]:
    # cached: searching all loaded libraries takes milliseconds
    controllers: list[Any] = ThreadpoolController().select(user_api="blas").lib_controllers
    return controllers


def _thread_counts() -> list[int]:
    return [library.get_num_threads() for library in _libraries()]


def _set_thread_counts(counts: list[int]) -> None:
    """Set each library's number of threads, from a thread that is allowed to.

    While a thread that has set the number lives, no other thread can set it. So a thread that ends
    at once does it; if that fails, because the calling thread has set it before, the caller does.
    """
    with ThreadPoolExecutor(1) as short_lived:
        short_lived.submit(_try_to_set, counts).result()
    if _thread_counts() != counts:
        _try_to_set(counts)


def _try_to_set(counts: list[int]) -> None:
    for library, count in zip(_libraries(), counts, strict=True):
        library.set_num_threads(count)


@contextmanager
def _limited(*, look: bool = False) -> Iterator[int]:
    """Have the limit inside the block, and no longer, even if Ctrl-C comes while it is set."""
    user = object()
    try:
        yield _LIMIT.enter(user, look=look)
    finally:
        try:
            _LIMIT.leave(user)
        except BaseException:  # interrupted: leave first
            _LIMIT.leave(user)
            raise


@contextmanager
def blas_threads_as_workers(n_tasks: int) -> Iterator[Map]:
    """Yield a ``map`` that runs as many tasks at a time as BLAS would have used threads.

    Parameters
    ----------
    n_tasks : int
        The most tasks there will be. For a single one, no thread is started.

    Yields
    ------
    callable
        Like the built-in ``map``: results are in the order of the tasks.
    """
    with _limited() as n_threads:
        n_threads = min(n_tasks, 1 if _alone.get() else n_threads)
        if n_threads <= 1:
            yield map
        else:
            # with OpenMP, BLAS has a setting per thread instead of one for the process
            ones = [1] * len(_libraries())
            with ThreadPoolExecutor(n_threads, initializer=_try_to_set, initargs=(ones,)) as pool:
                yield pool.map


@contextmanager
def one_blas_thread(*, alone: bool = False) -> Iterator[None]:
    """Limit BLAS to one thread, so that rounding does not depend on the number of cores.

    Parameters
    ----------
    alone : bool, default=False
        Whether :func:`blas_threads_as_workers` is to use one thread, too, inside the block.
    """
    with _limited(look=True):
        token = _alone.set(alone or _alone.get())
        try:
            yield
        finally:
            _alone.reset(token)
