"""One BLAS thread while fits run, and as many as before when the last has ended."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


@contextmanager
def one_blas_thread() -> Iterator[int]:
    """Limit BLAS to one thread inside the block, so that rounding is the same on any machine.

    Yields
    ------
    int
        The number of threads that BLAS would have used without the limit.
    """
    fit = object()
    try:
        yield _LIMIT.enter(fit)
    finally:
        try:
            _LIMIT.leave(fit)
        except BaseException:  # interrupted: leave first
            _LIMIT.leave(fit)
            raise


def set_one_here() -> None:
    """Set one thread for the calling thread too, where each has a setting of its own."""
    _try_to_set([1] * len(_blas_libraries()))


class _BlasLimit:
    """One BLAS thread while at least one fit runs, and as many as before afterwards.

    The number of BLAS threads is a setting of the whole process. If overlapping fits each restored
    what they had found, the last might restore another fit's limit. So the first to enter saves the
    setting, and the last to leave restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fits: set[object] = set()
        self._found: list[int] = []

    def enter(self, fit: object) -> int:
        """Set the limit; return the number of threads that BLAS would have used without it."""
        with self._lock:
            if not self._fits:
                self._found = _blas_threads()
                self._fits.add(fit)  # from here on, leave() has something to restore
                _set_blas_threads([1] * len(self._found))
            self._fits.add(fit)
            return max(self._found, default=1)

    def leave(self, fit: object) -> None:
        """Lift the limit if this was the last fit; do nothing if it has not entered."""
        with self._lock:
            if self._fits == {fit}:
                _set_blas_threads(self._found)
            self._fits.discard(fit)


_LIMIT = _BlasLimit()


@cache  # searching all loaded libraries takes milliseconds
def _blas_libraries() -> list[Any]:
    controllers: list[Any] = ThreadpoolController().select(user_api="blas").lib_controllers
    return controllers


def _blas_threads() -> list[int]:
    return [library.get_num_threads() for library in _blas_libraries()]


def _set_blas_threads(counts: list[int]) -> None:
    """Set each library's number of threads, from a thread that threadpoolctl lets set it.

    While a thread that has set the number lives, threadpoolctl ignores all others. So a thread that
    ends at once sets it; if that fails because the calling thread has set it before, the caller.
    """
    if _blas_threads() == counts:
        return
    with ThreadPoolExecutor(1) as short_lived:
        short_lived.submit(_try_to_set, counts).result()
    if _blas_threads() != counts:
        _try_to_set(counts)


def _try_to_set(counts: list[int]) -> None:
    for library, count in zip(_blas_libraries(), counts, strict=True):
        library.set_num_threads(count)
