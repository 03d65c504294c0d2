"""How much memory some work took, and how large an object is."""

import os
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

_STATM = Path("/proc/self/statm")
_SECONDS_BETWEEN_LOOKS = 0.02


class Peak:
    """The most memory held so far, over what was held at first; None where it is not to be had.

    Nor can it be had of one of several fits in a process: memory does not tell whose it is.
    """

    def __init__(self) -> None:
        self._first = self._most = _resident_bytes()
        self.is_shared = False

    @property
    def rise(self) -> int | None:
        """In bytes."""
        if self.is_shared or self._first is None or self._most is None:
            return None
        return self._most - self._first

    def look(self) -> None:
        """Note what is held now."""
        if self._most is not None:
            self._most = max(self._most, _resident_bytes() or 0)


_watched: list[Peak] = []
_lock = threading.Lock()


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Watch the process's memory, all threads together, every 20 ms."""
    peak, done = Peak(), threading.Event()

    def watch() -> None:
        while not done.wait(_SECONDS_BETWEEN_LOOKS):
            peak.look()

    watcher = threading.Thread(target=watch, daemon=True)
    if peak.rise is not None:
        watcher.start()
    with _lock:
        _watched.append(peak)
        for each in _watched:
            each.is_shared |= len(_watched) > 1
    try:
        yield peak
    finally:
        with _lock:
            _watched.remove(peak)
        done.set()
        peak.look()


def _resident_bytes() -> int | None:
    """The process's memory that is in the machine's, as Linux tells it."""
    try:
        pages = int(_STATM.read_bytes().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


class _Counter:
    """A file that only counts what is written to it."""

    n_bytes = 0

    def write(self, content: Any) -> int:
        size = memoryview(content).nbytes
        self.n_bytes += size
        return size


class _Sizer(pickle.Pickler):
    """Takes every ``n_jobs`` for None: how many cores a worker had is not the model's size."""

    def reducer_override(self, thing: Any) -> Any:
        if not isinstance(thing, BaseEstimator) or getattr(thing, "n_jobs", None) is None:
            return NotImplemented
        make, arguments, state, *rest = thing.__reduce_ex__(5)
        if isinstance(state, dict):
            state = state | {"n_jobs": None}
        return make, arguments, state, *rest


def pickled_bytes(thing: Any) -> int | None:
    """How large an object is as a pickle, without making one; None if it cannot be pickled.

    Examples
    --------
    >>> pickled_bytes(b"12345")
    20
    >>> pickled_bytes(lambda: 0) is None
    True
    """
    counter = _Counter()
    try:
        _Sizer(counter, protocol=5).dump(thing)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError):
        return None
    return counter.n_bytes
