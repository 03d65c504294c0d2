"""The finished fits of a run, kept in a folder, so that an interrupted run can be resumed.

``run.json`` identifies the run. Every finished fit has a file of its own, written whole or not at
all, which has the hash of that identity. Nothing in the folder is executed.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from mnist_models._files import atomic_writer
from mnist_models._running.fitting import Data, Outcome, Task
from mnist_models._running.record import decode, encode
from mnist_models._warn import warn_user
from mnist_models.exceptions import CheckpointInUseError, ResumeMismatchError

_FORMAT = 2
_RUN, _LOCK, _HOLDER = "run.json", "lock", "in-use-by"

Identity = dict[str, Any]


class Checkpoint:
    """The finished fits of one run, in a folder.

    Parameters
    ----------
    folder : Path
        Where they are.
    run : str
        The hash of the run's identity. Records of other runs are not used.
    """

    def __init__(self, folder: Path, run: str) -> None:
        self.folder, self.run = folder, run

    def finished(self, tasks: Iterable[Task], data: Data) -> dict[str, Outcome]:
        """The outcomes of the tasks that are finished, by the name of the task."""
        found = {}
        for task in tasks:
            path = self._path(task)
            if not path.is_file():
                continue
            try:
                with path.open("rb") as file:
                    found[str(task)] = decode(file, task, data, self.run)
            except (ValueError, OSError) as error:
                warn_user(RuntimeWarning(f"{path} is not used: {error}. {task} is fitted again."))
        return found

    def keep(self, task: Task, outcome: Outcome) -> None:
        """Write the outcome of one task."""
        with atomic_writer(self._path(task)) as file:
            file.write(encode(outcome, task, self.run))

    def _path(self, task: Task) -> Path:
        return self.folder / f"fit-{_sha256(str(task))[:32]}"


@contextmanager
def open_checkpoint(folder: str | PathLike[str], identity: Identity) -> Iterator[Checkpoint]:
    """Open a folder for one run, and lock it.

    Parameters
    ----------
    folder : path
        Made if it does not exist.
    identity : dict
        Everything that determines the run's results, as plain data.

    Yields
    ------
    Checkpoint

    Raises
    ------
    ResumeMismatchError
        If the folder is of another run, which the message compares with this one, or of none.
    CheckpointInUseError
        If another process uses it.
    """
    path, identity = Path(folder), {"format": _FORMAT} | identity
    path.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        _compare(path, identity)
        for name in (_RUN, "fit-*"):  # left by a run that was killed while writing
            for partial in path.glob(f".{name}.*.part"):
                partial.unlink(missing_ok=True)
        yield Checkpoint(path, _sha256(json.dumps(identity, sort_keys=True)))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder; the system releases the lock however the process ends."""
    from filelock import FileLock, Timeout

    _refuse_other_files(folder)
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        holder = "unknown"
        with contextlib.suppress(OSError):
            holder = (folder / _HOLDER).read_text(encoding="ascii", errors="replace")[:20]
        raise CheckpointInUseError(
            f"{folder} is in use by another run (process {holder}). Wait for it, end it, or name "
            "another folder."
        ) from None
    try:
        (folder / _HOLDER).write_text(str(os.getpid()), encoding="ascii")
        yield
    finally:
        (folder / _HOLDER).unlink(missing_ok=True)
        lock.release()


def _refuse_other_files(folder: Path) -> None:
    # a checkpoint may be without its lock: some versions of filelock delete it, as on Windows
    is_checkpoint = any((folder / name).is_file() for name in (_RUN, _LOCK))
    if any(folder.iterdir()) and not is_checkpoint:
        raise ResumeMismatchError(
            f"checkpoint must be a new or empty folder, or that of an earlier run. {folder} holds "
            "other files. Name another folder."
        )


# -- which run it is -------------------------------------------------------------------------------


def _compare(folder: Path, identity: Identity) -> None:
    """Write the run's identity, or compare it with the one that is there."""
    file = folder / _RUN
    if not file.is_file():
        with atomic_writer(file) as out:
            out.write(json.dumps(identity, indent=1).encode())
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(before, dict):
            raise ValueError(f"expected an object, found {_shortened(before)}")
    except (ValueError, RecursionError) as error:
        raise ResumeMismatchError(
            f"{file} does not identify a run: {error}. Name another folder."
        ) from error
    differences = list(_differences(before, identity))
    if differences:
        raise ResumeMismatchError(
            f"{folder} is of a run that differs in {'; in '.join(differences)}, and cannot be "
            "resumed. Undo the change, or name another folder."
        )


def _differences(
    before: Mapping[str, Any], now: Mapping[str, Any], where: str = ""
) -> Iterator[str]:
    for name in dict.fromkeys((*before, *now)):
        path = f"{where}{name}"
        was, is_now = before.get(name), now.get(name)
        if isinstance(was, dict) and isinstance(is_now, dict):
            yield from _differences(was, is_now, f"{path}: " if not where else f"{path} ")
        elif was != is_now:
            yield f"{path} (it was {_shortened(was)}, now {_shortened(is_now)})"


def _shortened(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
