"""One fit packed to run in another process or thread, and its packed result."""

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

# Process ids are unique only on one machine.
_PROGRAM_ID = uuid.uuid4().hex


def process_identity() -> tuple[str, int]:
    """Identify this process among those of all machines, its own forks included."""
    return _PROGRAM_ID, os.getpid()


class Job(NamedTuple):
    """A fit, and the settings it must run under."""

    task: Task
    n_threads: int
    progress_file: Path  # where it writes how many epochs are done
    config: dict[str, Any]  # scikit-learn's settings
    filters: list[bytes]  # Python's warning filters, each pickled
    sender: tuple[str, int]


class JobResult(NamedTuple):
    """The result of a job, pickled by us: failing to unpickle it must not look like a dead worker.

    An executor that cannot unpickle a result breaks, exactly as if its worker had died.
    """

    content: bytes  # an Outcome, or the error that was raised
    error: str  # the error's type and message; empty if there was none
    traceback: str
    warnings: list[tuple[bytes, str, str, int]]  # the warning pickled and as text, file, line


def make_job(task: Task, n_threads: int, progress_file: Path) -> Job:
    """A job with the settings and warning filters that are in force now."""
    filters = [cloudpickle.dumps(each) for each in warnings.filters]
    return Job(task, n_threads, progress_file, get_config(), filters, process_identity())


def write_progress(progress_file: Path, done: int, total: int) -> None:
    """Write how many epochs are done, of how many; 0 of 0 means that the fit has begun."""
    # the folder may be gone, full, or on another machine: no reason to end a fit
    with contextlib.suppress(OSError):
        progress_file.write_text(f"{done} {total}", encoding="ascii")


# -- in the worker ---------------------------------------------------------------------------------


def run_job(packed: bytes, fit: Callable[[Job], Outcome]) -> JobResult:
    """Run a job under its sender's settings and pack the result.

    Parameters
    ----------
    packed : bytes
        A :class:`Job`, pickled.
    fit : callable
        Makes the fit.

    Returns
    -------
    JobResult

    Raises
    ------
    MemoryError
        Not packed, because packing needs memory too.
    """
    caught: list[warnings.WarningMessage] = []
    error_text = trace = ""
    try:
        job: Job = pickle.loads(packed)
        with config_context(**job.config), _recorded_warnings(job, caught):
            content = cloudpickle.dumps(fit(job))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a model raises is raised by the sender
        error_text = "".join(traceback.format_exception_only(error)).strip()
        trace, content = traceback.format_exc(), _pickle(error)
    return JobResult(content, error_text, trace, [_pack_warning(each) for each in caught])


def _pack_warning(warning: warnings.WarningMessage) -> tuple[bytes, str, str, int]:
    text = f"{warning.category.__name__}: {warning.message}"
    return _pickle(warning.message), text, warning.filename, warning.lineno


def _pickle(error: Any) -> bytes:
    """An exception pickled; empty if it cannot be, for its text is sent as well."""
    try:
        content: bytes = cloudpickle.dumps(error)
    except Exception:  # noqa: BLE001 - pickling runs its own code, which may raise anything
        return b""
    return content


class _WarningRecorder:
    """Records this process's warnings, under the filters of another process.

    Filters belong to the whole process, and several fits may run in it. So the first fit to enter
    sets them, the last to leave restores them, and each takes the warnings recorded so far.
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
                    # a category that cannot be imported here cannot be warned of here
                    with contextlib.suppress(ImportError, AttributeError):
                        warnings.filters.append(pickle.loads(each))  # type: ignore[attr-defined]
            self._users += 1

    def leave(self) -> list[warnings.WarningMessage]:
        with self._lock:
            recorded = self._log[:]
            self._log.clear()
            self._users -= 1
            if self._users == 0:
                self._catching.__exit__(None, None, None)
            return recorded


_RECORDER = _WarningRecorder()


@contextmanager
def _recorded_warnings(job: Job, caught: list[warnings.WarningMessage]) -> Iterator[None]:
    """Add the warnings raised inside to the list; the sender's own process shows them itself."""
    if job.sender == process_identity():
        yield
        return
    _RECORDER.enter(job.filters)
    try:
        yield
    finally:
        caught += _RECORDER.leave()


# -- in the sender ---------------------------------------------------------------------------------


def unpack_result(result: JobResult, registries: dict[str, Any]) -> Outcome | Exception:
    """The outcome of a job, or the error it raised. Its warnings are issued again here.

    Parameters
    ----------
    result : JobResult
        As :func:`run_job` returned it.
    registries : dict of str to dict
        The warnings already shown, by file, so that each fit does not repeat them; updated.

    Returns
    -------
    Outcome or Exception
        An error that cannot be unpickled becomes a RuntimeError with its text.
    """
    for message, text, filename, lineno in result.warnings:
        warning = _unpickle(message, RuntimeWarning(text))
        registry = registries.setdefault(filename, {})
        warnings.warn_explicit(warning, type(warning), filename, lineno, registry=registry)
    as_text = RuntimeError(f"{result.error} (told as text, because it cannot be pickled)")
    content: Outcome | Exception = _unpickle(result.content, as_text)
    if isinstance(content, Exception):
        content.add_note(f"In the worker:\n{result.traceback}")
    return content


def _unpickle(content: bytes, fallback: Any) -> Any:
    try:
        return pickle.loads(content)
    except Exception:  # noqa: BLE001 - unpickling runs a class's own code, which may raise anything
        return fallback
