"""The rows that all fits use, sent to every process once."""

import contextlib
import glob
import platform
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import joblib

from mnist_models._running.fitting import Data

_LOCK = "lock"
# A younger folder may not be locked yet.
_SECONDS_TO_LOCK = 60.0

# The rows that this process has received; in the sender, those that it sends.
_loaded: dict[str, Data] = {}


class Shipment(NamedTuple):
    """Where a process finds the rows: in the file, unless it is the sender."""

    key: str
    file: Path | None


@contextmanager
def shipped(data: Data, folder: Path | None) -> Iterator[Shipment]:
    """Make the rows available to other threads and processes, while inside.

    Parameters
    ----------
    data : Data
        The rows.
    folder : path or None
        Where to write a file that processes map into memory; None if there are only threads.

    Yields
    ------
    Shipment
        For :func:`unpack`.
    """
    key = uuid.uuid4().hex
    file = None if folder is None else folder / "rows"
    if file is not None:
        joblib.dump(data, file)
    _loaded[key] = data
    try:
        yield Shipment(key, file)
    finally:
        del _loaded[key]


def unpack(shipment: Shipment) -> Data:
    """The rows, loaded by the first fit in each process and kept for the next.

    Raises
    ------
    FileNotFoundError
        If this process cannot read the file.
    """
    if shipment.key not in _loaded:
        _loaded.clear()  # earlier rows are not needed again
        if shipment.file is None or not shipment.file.is_file():
            raise FileNotFoundError(
                f"The worker cannot read {shipment.file}, which holds the rows. Where mnist_models "
                "runs, set TMPDIR to a folder that all workers share."
            )
        _loaded[shipment.key] = joblib.load(shipment.file, mmap_mode="r")
    return _loaded[shipment.key]


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder for the run; folders left by runs that were killed are removed."""
    from filelock import FileLock

    prefix = f"mnist_models-{platform.node()}-"  # a folder may be shared with other machines
    _remove_left(prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    lock = FileLock(folder / _LOCK)
    # held as long as this process lives; where there are no locks, no run removes folders
    with contextlib.suppress(OSError, NotImplementedError):
        lock.acquire(timeout=0)
    try:
        yield folder
    finally:
        lock.release()
        with contextlib.suppress(OSError):  # a worker that is still stopping may write there
            shutil.rmtree(folder)


def _remove_left(prefix: str) -> None:
    """Remove the folders of runs that were killed: those whose lock is free."""
    from filelock import FileLock, Timeout

    for folder in Path(tempfile.gettempdir()).glob(f"{glob.escape(prefix)}*"):
        # it may be another user's, be gone by now, or be on a disk without locks
        with contextlib.suppress(OSError, NotImplementedError, Timeout):
            if time.time() - folder.stat().st_mtime < _SECONDS_TO_LOCK:
                continue
            with FileLock(folder / _LOCK, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
