"""Peak memory of a block of code, and the size of an object."""

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


class PeakMemory:
    """The most memory that the process has held, above what it held at first."""

    def __init__(self) -> None:
        self._first = self._most = _resident_bytes()
        self.is_shared = False

    @property
    def rise(self) -> int | None:
        """In bytes; None where unknown, or where several fits shared the process."""
        if self.is_shared or self._first is None or self._most is None:
            return None
        return self._most - self._first

    def update(self) -> None:
        """Measure what is held now."""
        if self._most is not None:
            self._most = max(self._most, _resident_bytes() or 0)


_watched: list[PeakMemory] = []
_lock = threading.Lock()


@contextmanager
def peak_memory() -> Iterator[PeakMemory]:
    """Watch the memory of the whole process, every 20 ms, while inside."""
    peak, done = PeakMemory(), threading.Event()

    def watch() -> None:
        while not done.wait(_SECONDS_BETWEEN_LOOKS):
            peak.update()

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
        peak.update()


def _resident_bytes() -> int | None:
    """The resident memory of this process; None where the system is not Linux."""
    try:
        pages = int(_STATM.read_bytes().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


class _ByteCounter:
    """A file that only counts the bytes written to it."""

    n_bytes = 0

    def write(self, content: Any) -> int:
        size = memoryview(content).nbytes
        self.n_bytes += size
        return size


class _SizePickler(pickle.Pickler):
    """Pickles every ``n_jobs`` as None, so that the size does not depend on a worker's cores."""

    def reducer_override(self, thing: Any) -> Any:
        if not isinstance(thing, BaseEstimator) or getattr(thing, "n_jobs", None) is None:
            return NotImplemented
        make, arguments, state, *rest = thing.__reduce_ex__(5)
        if isinstance(state, dict):
            state = state | {"n_jobs": None}
        return make, arguments, state, *rest


def pickled_bytes(thing: Any) -> int | None:
    """The size of an object's pickle, counted without keeping it; None if it has none.

    Examples
    --------
    >>> pickled_bytes(b"12345")
    20
    >>> pickled_bytes(lambda: 0) is None
    True
    """
    counter = _ByteCounter()
    try:
        _SizePickler(counter, protocol=5).dump(thing)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError):
        return None
    return counter.n_bytes
