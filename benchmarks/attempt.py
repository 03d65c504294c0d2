"""One stranger's file read in a process of its own, and what came of it."""

import multiprocessing
import os
import re
import resource
import signal
import time
from collections.abc import Callable
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Answers = list[NDArray[Any]]
Read = Callable[[Path], Answers]

ADDRESS_SPACE = 8 * 2**30  # that a process may take beyond what it began with
# What differs by less is rounding.
_TOLERANCE = 1e-6
# Imported once, before a process for a file is forked off.
_LIBRARIES = ("keras", "torchvision.datasets", "skops.io", "sklearn.ensemble", "idx2numpy", "mnist")


class Found(NamedTuple):
    """What came of a file: answers, or in ``end`` how it ended without any."""

    end: str
    answers: Answers | None = None
    mb: float = 0.0
    seconds: float = 0.0

    def in_words(self, right: Answers | None, wrong: str = "wrong answers") -> str:
        """How it ended, for a cell of a table; an error's class in code's type."""
        words = self.end
        if self.answers is not None:
            words = "right" if same(self.answers, right) else f"**{wrong}**"
        if self.mb > 200:
            words += f", {self.mb:,.0f} MB"
        return f"{words}, {self.seconds:.0f} s" if self.seconds > 5 else words


class Reader:
    """Reads files, each in a process forked off one in which the libraries are imported."""

    def __init__(self, seconds: int, canary: Path) -> None:
        self.canary = canary
        self._seconds = seconds
        os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        self._processes = multiprocessing.get_context("forkserver")
        there = [name for name in _LIBRARIES if find_spec(name.partition(".")[0])]
        self._processes.set_forkserver_preload([*there, __name__, "benchmarks.bad_networks"])

    def attempt(self, read: Read, path: Path) -> Found:
        """Read one file, and look whether it has made the folder ``canary``."""
        receiver, sender = self._processes.Pipe(duplex=False)
        process = self._processes.Process(
            target=_carry_out, args=(sender, read, path, self._seconds)
        )
        process.start()
        sender.close()
        try:
            found = receiver.recv()
        except EOFError:  # it ended without a word
            found = None
        process.join()
        if self.canary.exists():
            self.canary.rmdir()
            return Found("**ran its code**")
        return found or self._without_a_word(process.exitcode)

    def _without_a_word(self, code: int | None) -> Found:
        """How a process ended that could not tell."""
        if code in (-signal.SIGPROF, -signal.SIGALRM):
            return Found(f"**no end** in {self._seconds} s")
        if code is not None and code < 0:
            return Found(f"**crash** ({signal.Signals(-code).name})")
        return Found(f"ended with {code}")


def same(answers: Answers, right: Answers | None) -> bool:
    """Whether the answers are the right ones, but for rounding."""
    return (
        right is not None
        and len(answers) == len(right)
        and all(a.shape == b.shape for a, b in zip(answers, right, strict=True))
        and all(np.allclose(a, b, 0, _TOLERANCE) for a, b in zip(answers, right, strict=True))
    )


def _carry_out(sender: Connection, read: Read, path: Path, most_seconds: int) -> None:
    """Read the file in this process, which the system ends when its processor time is over."""
    _hush()
    signal.setitimer(signal.ITIMER_PROF, most_seconds)  # of work, however busy the machine is
    signal.alarm(20 * most_seconds)
    began_with = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (began_with + ADDRESS_SPACE,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Path("/proc/self/clear_refs").write_text("5")  # the peak, from here on
    start, before = time.process_time(), _peak_mb()
    try:
        answers, end = read(path), ""
    except Exception as error:  # noqa: BLE001 - whatever a library raises is what is asked here
        answers, end = None, f"`{type(error).__name__}`"
    seconds = time.process_time() - start
    sender.send(Found(end, answers, _peak_mb() - before, seconds))


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return sum(map(int, re.findall(r"VmHWM:\s+(\d+) kB", status))) / 1024


def _hush() -> None:
    """What the libraries print goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
