"""What a run has finished, kept in a folder, so that the same run goes on from there.

``run.json`` says what run it is; every finished fit has a file of its own, written whole or not at
all. Nothing in the folder is executed, and what is damaged is fitted again.
"""

import contextlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_models._container import pack, unpack
from mnist_models._files import atomic_writer
from mnist_models._findings import Fit
from mnist_models._fitting import Outcome, Task
from mnist_models.exceptions import CheckpointInUseError, ResumeMismatchError

_FORMAT = 1
_RUN, _LOCK, _HOLDER = "run.json", "lock", "in-use-by"
_MOST_RECORD_BYTES = 2**32

Identity = dict[str, Any]


class Checkpoint:
    """The finished fits of one run, in a folder.

    Parameters
    ----------
    folder : path or None
        None: nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def finished(self, tasks: Sequence[Task]) -> dict[int, Outcome]:
        """The outcomes that are there, by the place of their task in the run."""
        found = {}
        for number, task in enumerate(tasks):
            path = self._path(number)
            if path is None or not path.is_file():
                continue
            try:
                found[number] = _read(path, task)
            except (ValueError, LookupError, TypeError, OSError, MemoryError) as error:
                warnings.warn(
                    f"{path} is damaged and not used ({error}): {task} is fitted again.",
                    RuntimeWarning,
                    stacklevel=4,
                )
        return found

    def keep(self, number: int, task: Task, outcome: Outcome) -> None:
        """Record the outcome of one task."""
        path = self._path(number)
        if path is not None:
            with atomic_writer(path) as file:
                file.write(_encode(task, outcome))

    def _path(self, number: int) -> Path | None:
        return None if self.folder is None else self.folder / f"fit-{number:04d}"


@contextmanager
def open_checkpoint(folder: str | PathLike[str] | None, identity: Identity) -> Iterator[Checkpoint]:
    """Open a folder for one run, which has it to itself.

    Parameters
    ----------
    folder : path or None
        Made if it is not there; None: nothing is kept.
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
    if folder is None:
        yield Checkpoint(None)
        return
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        _compare(path, identity)
        yield Checkpoint(path)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder; the system lets go of it however the process ends."""
    from filelock import FileLock, Timeout

    if any(folder.iterdir()) and not (folder / _LOCK).is_file():
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
            holder = (folder / _HOLDER).read_text(encoding="ascii")[:20]
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
    identity = {"format": _FORMAT} | json.loads(json.dumps(identity))
    if not file.is_file():
        with atomic_writer(file) as out:
            out.write(json.dumps(identity, indent=1).encode())
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        differences = list(_differences(before, identity))
    except (ValueError, AttributeError, RecursionError) as error:
        raise ResumeMismatchError(
            f"{file} does not tell what run it is of: {error}. Name another folder."
        ) from error
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


# -- one record ------------------------------------------------------------------------------------


def _encode(task: Task, outcome: Outcome) -> bytes:
    arrays: dict[str, NDArray[Any]] = {}
    labels = {"predictions": _put(arrays, "predictions", outcome.predictions)}
    if outcome.probabilities is not None and outcome.known is not None:
        arrays["probabilities"] = outcome.probabilities
        labels["known"] = _put(arrays, "known", outcome.known)
    description = {
        "format": _FORMAT,
        "task": str(task),
        "fit": asdict(outcome.fit),
        "labels": labels,
    }
    return pack(description, arrays)


def _read(path: Path, task: Task) -> Outcome:
    if path.stat().st_size > _MOST_RECORD_BYTES:
        raise ValueError("it is too large")
    with path.open("rb") as file:
        description, arrays = unpack(file)
    if (description["format"], description["task"]) != (_FORMAT, str(task)):
        raise ValueError(f"expected {task}, found {description['task']!r}")
    fit, labels = Fit(**description["fit"]), description["labels"]
    predictions = _get(arrays, labels, "predictions")
    if len(predictions) != fit.n_predicted:
        raise ValueError(f"expected {fit.n_predicted} predictions, found {len(predictions)}")
    if "known" not in labels:
        return Outcome(fit, predictions)
    return Outcome(fit, predictions, arrays["probabilities"], _get(arrays, labels, "known"))


def _put(arrays: dict[str, NDArray[Any]], name: str, labels: NDArray[Any]) -> dict[str, Any]:
    """Labels of any type as numbers of the different ones, which JSON can say."""
    values, arrays[name] = np.unique(labels, return_inverse=True)
    return {"values": values.tolist(), "dtype": labels.dtype.str}


def _get(arrays: Mapping[str, NDArray[Any]], labels: Mapping[str, Any], name: str) -> NDArray[Any]:
    dtype = np.dtype(labels[name]["dtype"])
    if dtype.kind not in "biufUO":
        raise ValueError(f"expected labels, found {dtype}")
    values: NDArray[Any] = np.array(labels[name]["values"], dtype=dtype)
    return values[arrays[name]]
