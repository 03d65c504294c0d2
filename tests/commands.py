"""Commands, run in this process, and the files they are given."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_models.cli import main


def run_command(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one command."""
    try:
        code = main([str(word) for word in words])
    except SystemExit as stop:  # argparse leaves by it
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def idx_header(*shape: int) -> bytes:
    """What an IDX file of unsigned bytes begins with."""
    return bytes([0, 0, 8, len(shape)]) + np.array(shape, dtype=">u4").tobytes()


def write_idx(folder: Path, part: str, images: Any, labels: Any) -> None:
    """The two files of one part, ``train`` or ``t10k``, as MNIST has them."""
    for kind, array in (("images-idx3", images), ("labels-idx1", labels.astype(np.uint8))):
        content = idx_header(*array.shape) + array.tobytes()
        (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(content))


def predicted(output: str) -> list[str]:
    """The labels in the table that ``mnist-models predict`` prints."""
    header, *lines = output.splitlines()
    assert header.split() == ["image", "label", "probability"]
    assert all(line.endswith(" %") for line in lines)
    return [line.split()[-3] for line in lines]
