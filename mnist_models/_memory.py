"""How much memory some work took, and how large an object is."""

import os
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_STATM = Path("/proc/self/statm")
_SECONDS_BETWEEN_LOOKS = 0.02


class Peak:
    """The most memory held so far, over what was held at first; None where it is not to be had."""

    def __init__(self) -> None:
        self._first = self._most = _resident_bytes()

    @property
    def rise(self) -> int | None:
        """In bytes."""
        if self._first is None or self._most is None:
            return None
        return self._most - self._first

    def look(self) -> None:
        """Note what is held now."""
        if self._most is not None:
            self._most = max(self._most, _resident_bytes() or 0)


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
    try:
        yield peak
    finally:
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
        pickle.Pickler(counter, protocol=5).dump(thing)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError):
        return None
    return counter.n_bytes
