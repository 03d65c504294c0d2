"""What a run has finished, kept in a folder, so that the same run goes on from there.

``run.json`` says what run it is; every finished fit has a record of its own, written whole or not
at all, which says of what run it is, too. Nothing in the folder is executed.
"""

import contextlib
import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from mnist_models._files import atomic_writer
from mnist_models._running.fitting import Data, Outcome, Task
from mnist_models._running.record import decode, encode
from mnist_models.exceptions import CheckpointInUseError, ResumeMismatchError

_FORMAT = 2
_RUN, _LOCK, _HOLDER = "run.json", "lock", "in-use-by"

Identity = dict[str, Any]


class Checkpoint:
    """The finished fits of one run, in a folder.

    Parameters
    ----------
    folder : Path
        Where.
    run : str
        The sum of what the run depends on. Records of other runs are not used.
    """

    def __init__(self, folder: Path, run: str) -> None:
        self.folder, self.run = folder, run

    def finished(self, tasks: Iterable[Task], data: Data) -> dict[str, Outcome]:
        """The outcomes that are there, each under the name of its task."""
        found = {}
        for task in tasks:
            path = self._path(task)
            if not path.is_file():
                continue
            try:
                with path.open("rb") as file:
                    found[str(task)] = decode(file, task, data, self.run)
            except (ValueError, OSError) as error:
                warnings.warn(
                    f"{path} is not used: {error}. {task} is fitted again.",
                    RuntimeWarning,
                    stacklevel=4,
                )
        return found

    def keep(self, task: Task, outcome: Outcome) -> None:
        """Record the outcome of one task."""
        with atomic_writer(self._path(task)) as file:
            file.write(encode(outcome, task, self.run))

    def _path(self, task: Task) -> Path:
        return self.folder / f"fit-{_sum(str(task))[:32]}"


@contextmanager
def open_checkpoint(folder: str | PathLike[str], identity: Identity) -> Iterator[Checkpoint]:
    """Open a folder for one run, which has it to itself.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    identity : dict
        What the run depends on, as plain data.

    Yields
    ------
    Checkpoint

    Raises
    ------
    ResumeMismatchError
        If the folder is of a run that differs, which is told, or of none.
    CheckpointInUseError
        If another process is at work on it.
    """
    path, identity = Path(folder), {"format": _FORMAT} | identity
    path.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        _compare(path, identity)
        for name in (_RUN, "fit-*"):  # what was being written when the run before was killed
            for partial in path.glob(f".{name}.*.part"):
                partial.unlink(missing_ok=True)
        yield Checkpoint(path, _sum(json.dumps(identity, sort_keys=True)))


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder; the system lets go of it however the process ends."""
    from filelock import FileLock, Timeout

    # the lock need not be there: some versions of filelock, and Windows, delete it at the end
    ours = any((folder / name).is_file() for name in (_RUN, _LOCK))
    if any(folder.iterdir()) and not ours:
        raise ResumeMismatchError(
            f"checkpoint must be a new or empty folder, or one of a run before. {folder} holds "
            "other files. Name another folder."
        )
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


# -- what run it is --------------------------------------------------------------------------------


def _compare(folder: Path, identity: Identity) -> None:
    """Write down what run it is, or hold it against what is written."""
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
            f"{file} does not tell what run it is of: {error}. Name another folder."
        ) from error
    differences = list(_differences(before, identity))
    if differences:
        raise ResumeMismatchError(
            f"{folder} is of a run that differs in {'; in '.join(differences)}. What was finished "
            "there cannot be gone on from. Undo the change, or name another folder."
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
