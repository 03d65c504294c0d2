"""The rows that all fits read, brought to every process once."""

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
# A folder so young may not be locked yet.
_SECONDS_TO_LOCK = 60.0

# What has arrived in this process; in the one that sends, what is being sent.
_at_hand: dict[str, Data] = {}


class Shipment(NamedTuple):
    """Where a process finds the rows: in the file, unless it is the one that sends them."""

    key: str
    file: Path | None


@contextmanager
def shipped(data: Data, folder: Path | None) -> Iterator[Shipment]:
    """Make the rows available to other threads, and to other processes, while inside.

    Parameters
    ----------
    data : Data
        The rows.
    folder : path or None
        Where to put a file that processes map into memory; None: there are only threads.

    Yields
    ------
    Shipment
        For :func:`unpack`.
    """
    key = uuid.uuid4().hex
    file = None if folder is None else folder / "rows"
    if file is not None:
        joblib.dump(data, file)
    _at_hand[key] = data
    try:
        yield Shipment(key, file)
    finally:
        del _at_hand[key]


def unpack(shipment: Shipment) -> Data:
    """The rows, fetched by the first fit in each process and kept for the next.

    Raises
    ------
    FileNotFoundError
        If this process cannot see the file.
    """
    if shipment.key not in _at_hand:
        _at_hand.clear()  # what was sent before is not asked for again
        if shipment.file is None or not shipment.file.is_file():
            raise FileNotFoundError(
                f"The worker must see {shipment.file}, where the rows are. It does not. Let TMPDIR "
                "name a folder that all workers share, where mnist_models runs."
            )
        _at_hand[shipment.key] = joblib.load(shipment.file, mmap_mode="r")
    return _at_hand[shipment.key]


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder of the user's own for as long as it takes; those of runs that were killed go."""
    from filelock import FileLock

    prefix = f"mnist_models-{platform.node()}-"  # a folder may be shared with other machines
    _clear(prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    lock = FileLock(folder / _LOCK)
    # held as long as this process lives; where there are no locks, nobody clears
    with contextlib.suppress(OSError, NotImplementedError):
        lock.acquire(timeout=0)
    try:
        yield folder
    finally:
        lock.release()
        with contextlib.suppress(OSError):  # a worker that is still being stopped may write there
            shutil.rmtree(folder)


def _clear(prefix: str) -> None:
    """Remove what runs have left that were killed: nobody holds its lock."""
    from filelock import FileLock, Timeout

    for folder in Path(tempfile.gettempdir()).glob(f"{glob.escape(prefix)}*"):
        # another user's, or gone meanwhile, or on a disk without locks
        with contextlib.suppress(OSError, NotImplementedError, Timeout):
            if time.time() - folder.stat().st_mtime < _SECONDS_TO_LOCK:
                continue
            with FileLock(folder / _LOCK, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
