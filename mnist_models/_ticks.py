"""Progress of a fit, epoch by epoch, reported to the code that started it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Hear = Callable[[int, int], None]

_hearing: ContextVar[Hear | None] = ContextVar("mnist_models_ticks", default=None)


@contextmanager
def listening(hear: Hear) -> Iterator[None]:
    """Call ``hear(done, total)`` after every epoch of the fits made inside the block.

    ``total`` is the most epochs there can be: early stopping may end a fit before.

    Examples
    --------
    >>> with listening(lambda done, total: print(f"{done} of {total}")):
    ...     tell(3, 20)
    3 of 20
    """
    token = _hearing.set(hear)
    try:
        yield
    finally:
        _hearing.reset(token)


def tell(done: int, total: int) -> None:
    """Report that ``done`` of at most ``total`` epochs are done, if anybody is listening."""
    hear = _hearing.get()
    if hear is not None:
        hear(done, total)
