"""What a native library says at its start is held back; what others say is not."""

import os
import subprocess
import sys
import threading

import pytest

from mnist_models._quiet import without_native_chatter

CHATTER = [
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n",
    b"I0000 00:00:1795355203.578491    2109 cudart_stub.cc:31] Could not find cuda drivers.\n",
    b"E0000 00:00:1795355213.910465    2109 cuda_platform.cc:52] failed call to cuInit\n",
    b"2026-11-22 13:41:00.123456: I tensorflow/core/util/port.cc:153] oneDNN operations are on.\n",
    b"To enable the following instructions: AVX2 FMA, in other operations, rebuild.\n",
]


def test_chatter_is_dropped_and_the_rest_comes_through(capfd: pytest.CaptureFixture[str]) -> None:
    with without_native_chatter():
        for line in CHATTER:
            os.write(2, line)
        os.write(2, b"F0000 00:00:1795355213.910465    2109 fatal.cc:1] Check failed\n")
        thread = threading.Thread(target=os.write, args=(2, b"a word from another thread\n"))
        thread.start()
        thread.join()
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == (
        "F0000 00:00:1795355213.910465    2109 fatal.cc:1] Check failed\n"
        "a word from another thread\nafterwards\n"
    )


def test_a_closed_standard_error_is_no_error() -> None:
    code = "import os; os.close(2); from mnist_models._quiet import without_native_chatter as w\n"
    code += "with w(): pass"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def _fail_to_start() -> None:
    with without_native_chatter():
        os.write(2, b"why it failed\n")
        raise ImportError


def test_nothing_is_lost_when_the_start_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError):
        _fail_to_start()
    assert capfd.readouterr().err == "why it failed\n"
