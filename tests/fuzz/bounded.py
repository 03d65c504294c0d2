"""A block of code that may not take more memory than strangers' files are allowed to cost."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

_MOST_BYTES = 100 * 2**20


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Raise MemoryError, which no reader does, where more than 100 MB were allocated inside."""
    if not tracemalloc.is_tracing():
        tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    yield
    taken = tracemalloc.get_traced_memory()[1] - before
    if taken > _MOST_BYTES:
        raise MemoryError(f"{taken:,} bytes were allocated")
