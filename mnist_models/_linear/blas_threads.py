"""One BLAS thread in each of several Python threads, and the setting given back afterwards.

A matrix product of a block of rows is too small for BLAS to divide well: its threads wait for each
other longer than they work. Blocks divided among threads need not wait.
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
    """BLAS's number of threads, held at one while anybody works inside.

    The number belongs to the process. Fits that overlap in threads would each give back what they
    found, and the last might have found another's limit: so the first in takes and the last out
    gives back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._found: list[int] = []

    def enter(self, *, look: bool = False) -> int:
        """Set the limit; the number of threads that BLAS would have used.

        ``look`` for libraries that have been loaded since the last time, which takes milliseconds.
        """
        with self._lock:
            if self._users == 0:
                if look:
                    _libraries.cache_clear()
                self._found = _numbers()
                try:
                    _set([1] * len(self._found))
                except BaseException:  # Ctrl-C, say: nobody is inside yet
                    _try_to_set(self._found)
                    raise
            self._users += 1
            return max(self._found, default=1)

    def leave(self) -> None:
        """Lift the limit, if nobody is left inside."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                try:
                    _set(self._found)
                except BaseException:
                    _try_to_set(self._found)
                    raise


_LIMIT = _Limit()

# Set in a thread whose work is to have one thread and no others of its own.
_alone: ContextVar[bool] = ContextVar("mnist_models_alone", default=False)


@cache
def _libraries() -> list[Any]:
    # It looks through every loaded library, which takes milliseconds.
    controllers: list[Any] = ThreadpoolController().select(user_api="blas").lib_controllers
    return controllers


def _numbers() -> list[int]:
    return [library.get_num_threads() for library in _libraries()]


def _set(numbers: list[int]) -> None:
    """Set each library's number of threads, from a thread that may.

    While a thread that has set one lives, threadpoolctl lets no other set it. So this is done from
    a thread that ends at once; or, where the caller's own has set one already, from that.
    """
    with ThreadPoolExecutor(1) as passing:
        passing.submit(_try_to_set, numbers).result()
    if _numbers() != numbers:
        _try_to_set(numbers)


def _try_to_set(numbers: list[int]) -> None:
    for library, number in zip(_libraries(), numbers, strict=True):
        library.set_num_threads(number)


@contextmanager
def blas_threads_as_workers(n_tasks: int) -> Iterator[Map]:
    """A ``map`` that works on as many tasks at a time as BLAS would have used threads.

    Parameters
    ----------
    n_tasks : int
        How many tasks there will be at the most. For a single one, no thread is started.

    Yields
    ------
    callable
        Like the built-in ``map``: results come in the order of the tasks, whoever did them.
    """
    n_threads = min(n_tasks, _LIMIT.enter(), 1 if _alone.get() else n_tasks)
    try:
        if n_threads <= 1:
            yield map
        else:
            # BLAS on OpenMP has a number for each thread instead of one for the process
            ones = [1] * len(_libraries())
            with ThreadPoolExecutor(n_threads, initializer=_try_to_set, initargs=(ones,)) as pool:
                yield pool.map
    finally:
        _LIMIT.leave()


@contextmanager
def one_blas_thread(*, alone: bool = False) -> Iterator[None]:
    """Hold BLAS to one thread, so that nothing it adds up depends on how many there are.

    Parameters
    ----------
    alone : bool, default=False
        Let :func:`blas_threads_as_workers` inside have one thread, too, in place of the cores.
    """
    _LIMIT.enter(look=True)
    token = _alone.set(alone or _alone.get())
    try:
        yield
    finally:
        _alone.reset(token)
        _LIMIT.leave()
