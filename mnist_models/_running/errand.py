"""A fit as an errand: what it takes along to another process, and what it brings back."""

import contextlib
import os
import pickle
import threading
import traceback
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
from sklearn import config_context, get_config

from mnist_models._running.fitting import Outcome, Task

# A process on another machine may have the same number.
_THIS_PROGRAM = uuid.uuid4().hex


def here() -> tuple[str, int]:
    """This very process: no other on any machine has the same, not even one forked from it."""
    return _THIS_PROGRAM, os.getpid()


class Errand(NamedTuple):
    """A fit, and what it must keep to wherever it is made."""

    task: Task
    n_threads: int
    word: Path  # the file for word of its epochs
    config: dict[str, Any]  # scikit-learn's settings
    filters: list[bytes]  # Python's filters of warnings, each pickled
    sender: tuple[str, int]


class Brought(NamedTuple):
    """What comes back, pickled: what cannot be read here must not pass for a worker's death."""

    content: bytes  # an Outcome, or the error that was raised
    what: str  # the error's type and message
    traceback: str
    warned: list[tuple[bytes, str, str, int]]


def errand(task: Task, n_threads: int, word: Path) -> Errand:
    """A fit with the settings and filters that are in force now."""
    filters = [cloudpickle.dumps(each) for each in warnings.filters]
    return Errand(task, n_threads, word, get_config(), filters, here())


def leave_word(word: Path, done: int, total: int) -> None:
    """Say how many epochs are done, of how many; 0 of 0 that the fit has begun."""
    # the folder is gone, or full, or not to be seen from here: no reason to end a fit
    with contextlib.suppress(OSError):
        word.write_text(f"{done} {total}", encoding="ascii")


# -- there -----------------------------------------------------------------------------------------


def carry_out(packed: bytes, fit: Callable[[Errand], Outcome]) -> Brought:
    """Make a fit under its sender's settings, and pack what came of it.

    Parameters
    ----------
    packed : bytes
        An :class:`Errand`, pickled.
    fit : callable
        Makes it.

    Returns
    -------
    Brought

    Raises
    ------
    MemoryError
        There may be no memory for packing it.
    """
    warned: list[warnings.WarningMessage] = []
    what = told = ""
    try:
        given: Errand = pickle.loads(packed)
        with config_context(**given.config), _caught(given, warned):
            content = cloudpickle.dumps(fit(given))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a model raises is raised by the sender
        what = "".join(traceback.format_exception_only(error)).strip()
        told, content = traceback.format_exc(), _pickled(error)
    return Brought(content, what, told, [_packed(each) for each in warned])


def _packed(warned: warnings.WarningMessage) -> tuple[bytes, str, str, int]:
    text = f"{warned.category.__name__}: {warned.message}"
    return _pickled(warned.message), text, warned.filename, warned.lineno


def _pickled(error: Any) -> bytes:
    try:
        content: bytes = cloudpickle.dumps(error)
    except Exception:  # noqa: BLE001 - whatever its own code for that raises; it is told as text
        return b""
    return content


class _Catcher:
    """The warnings of a process, caught under the filters of another.

    They belong to the process. So the first fit in begins it, the last one out ends it, and each
    takes along what there is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._catching: Any = None
        self._log: list[warnings.WarningMessage] = []

    def enter(self, filters: list[bytes]) -> None:
        with self._lock:
            if self._users == 0:
                self._catching = warnings.catch_warnings(record=True)
                self._log = self._catching.__enter__()
                warnings.resetwarnings()
                for each in filters:
                    # a category that is not to be had here cannot be warned of here
                    with contextlib.suppress(ImportError, AttributeError):
                        warnings.filters.append(pickle.loads(each))  # type: ignore[attr-defined]
            self._users += 1

    def leave(self) -> list[warnings.WarningMessage]:
        with self._lock:
            found = self._log[:]
            self._log.clear()
            self._users -= 1
            if self._users == 0:
                self._catching.__exit__(None, None, None)
            return found


_CATCHER = _Catcher()


@contextmanager
def _caught(given: Errand, warned: list[warnings.WarningMessage]) -> Iterator[None]:
    """Add to the list what is warned of inside. In the sender's own process it is shown anyway."""
    if given.sender == here():
        yield
        return
    _CATCHER.enter(given.filters)
    try:
        yield
    finally:
        warned += _CATCHER.leave()


# -- back again ------------------------------------------------------------------------------------


def unpacked(brought: Brought, shown: dict[str, Any]) -> Outcome | Exception:
    """What a fit came to, or what it raised; what it warned of is shown.

    Parameters
    ----------
    brought : Brought
        What came back.
    shown : dict
        What was shown before, by file, so that each fit does not repeat it.

    Returns
    -------
    Outcome or Exception
        An error that cannot be had as what it was is a RuntimeError that tells of it.
    """
    for message, text, filename, lineno in brought.warned:
        warning = _loaded(message, RuntimeWarning(text))
        registry = shown.setdefault(filename, {})
        warnings.warn_explicit(warning, type(warning), filename, lineno, registry=registry)
    as_text = RuntimeError(f"{brought.what} (told as text, because it cannot be pickled)")
    content: Outcome | Exception = _loaded(brought.content, as_text)
    if isinstance(content, Exception):
        content.add_note(f"In the worker:\n{brought.traceback}")
    return content


def _loaded(content: bytes, instead: Any) -> Any:
    """What was pickled, or something instead of it."""
    try:
        return pickle.loads(content)
    except Exception:  # noqa: BLE001 - whatever the __init__ of somebody's class raises
        return instead
