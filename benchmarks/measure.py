"""Two ways of doing one thing, timed in turn."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple


class Row(NamedTuple):
    """One comparison: medians in seconds, and how many times ours goes into theirs."""

    what: str
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        return self.theirs / self.ours


def alternate(
    what: str, ours: Callable[[], object], theirs: Callable[[], object], repeats: int
) -> Row:
    """Time A, B, A, B, ...: whatever else the machine does meets both alike."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for job, seconds in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            job()
            seconds.append(time.perf_counter() - start)
    return Row(what, statistics.median(times[0]), statistics.median(times[1]))


def in_a_fresh_process(code: str) -> Callable[[], object]:
    """A job that runs in an interpreter of its own."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


class Cost(NamedTuple):
    """What a command took: seconds, and megabytes at its peak."""

    command: str
    seconds: float
    peak_mb: float


def cost_of_command(*words: str) -> Cost:
    """Run one command of ours to its end. The peak is Linux's, of this process alone."""
    code = (
        "import re, sys; from mnist_models.cli import main; code = main(sys.argv[1:]); "
        "peak = re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read()); "
        "print(peak[1], file=sys.stderr); sys.exit(code)"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *words], check=True, capture_output=True, text=True
    )
    seconds = time.perf_counter() - start
    return Cost(" ".join(words), seconds, int(done.stderr.split()[-1]) / 1024)
