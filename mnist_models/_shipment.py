"""The rows that all fits read, brought to every process once."""

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import joblib

from mnist_models._fitting import Data

# What has arrived in this process; in the one that sends, what is being sent.
_at_hand: dict[str, Data] = {}


class Shipment(NamedTuple):
    """Where a process finds the rows: a file, or whatever an executor turns into the rows."""

    key: str
    process: int
    file: Path | None = None
    data: Any = None


@contextmanager
def shipped(data: Data, executor: Any = None, folder: Path | None = None) -> Iterator[Shipment]:
    """Make the rows available to other processes while inside.

    Parameters
    ----------
    data : Data
        The rows.
    executor : concurrent.futures.Executor, default=None
        Who runs the fits. Dask's cluster gets the rows itself, a copy on every worker.
    folder : path, default=None
        Where to put a file with them otherwise, which workers map into memory.

    Yields
    ------
    Shipment
        For :func:`unpack`.
    """
    key, process = uuid.uuid4().hex, os.getpid()
    _at_hand[key] = data
    try:
        client: Any = getattr(executor, "_client", None)  # Dask's, which has no other name
        if hasattr(client, "scatter"):
            # as a list: of a tuple each element would be scattered on its own
            (sent,) = client.scatter([data], broadcast=True, hash=False)
            yield Shipment(key, process, data=sent)
        elif folder is None:
            yield Shipment(key, process)
        else:
            file = folder / "rows"
            joblib.dump(data, file)
            yield Shipment(key, process, file)
    finally:
        del _at_hand[key]


def unpack(shipment: Shipment, sent: Data | None = None) -> Data:
    """The rows, fetched by the first fit in each process and kept for the next.

    Raises
    ------
    FileNotFoundError
        If this process cannot see the file.
    """
    if sent is not None:
        return sent
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
    """A folder of the user's own for as long as it takes."""
    folder = Path(tempfile.mkdtemp(prefix="mnist_models-"))
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):  # a worker that is still being stopped may write there
            shutil.rmtree(folder)
