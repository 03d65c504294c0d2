"""Two ways of doing one thing, timed in turn; and one thing in a process of its own."""

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import psutil

# Prepended to the code of a fresh process: prints a number for the caller to read.
_PEAK = (
    "def peak_mb():\n"
    "    import re\n"
    "    status = open('/proc/self/status').read()\n"
    "    return int(re.search(r'VmHWM:\\s+(\\d+) kB', status)[1]) / 1024\n"
)


# Prepended to what is to be timed while it is compiled: nothing that was kept is found.
COMPILING = "import os, tempfile; os.environ['NUMBA_CACHE_DIR'] = tempfile.mkdtemp()\n"


class Row(NamedTuple):
    """One comparison: medians in seconds, and how many times ours goes into theirs."""

    what: str
    ours: float
    theirs: float
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.theirs / self.ours


def alternate(
    what: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    repeats: int,
    note: Callable[[object, object], str] = lambda ours, theirs: "",
    calls: int = 1,
) -> Row:
    """Time A, B, A, B, ...: whatever else the machine does meets both alike.

    ``note`` says something of what the two came to, last time. What is short is called some times
    in a row, ``calls``, as a loop over rows would.
    """
    times: tuple[list[float], list[float]] = ([], [])
    results: list[object] = [None, None]
    for _ in range(repeats):
        for i, job in enumerate((ours, theirs)):
            start = time.perf_counter()
            for _ in range(calls):
                results[i] = job()
            times[i].append((time.perf_counter() - start) / calls)
    return Row(what, statistics.median(times[0]), statistics.median(times[1]), note(*results))


def in_a_fresh_process(code: str) -> Callable[[], object]:
    """A job that runs in an interpreter of its own."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


class Cost(NamedTuple):
    """What a job took: seconds, and megabytes at its peak."""

    what: str
    seconds: float
    peak_mb: float
    result: float | None = None


def cost_of_command(*words: str) -> Cost:
    """Run one command of ours to its end. The peak is Linux's, of this process alone."""
    code = (
        _PEAK + "import sys; from mnist_models.cli import main; code = main(sys.argv[1:])\n"
        "print(peak_mb(), file=sys.stderr); sys.exit(code)"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *words], check=True, capture_output=True, text=True
    )
    seconds = time.perf_counter() - start
    return Cost(" ".join(words), seconds, float(done.stderr.split()[-1]))


def cost_of_module(what: str, module: str, *words: str) -> Cost:
    """Run a module to its end. The peak is that of its process and all that it started."""
    start, peak = time.perf_counter(), 0.0
    command = [sys.executable, "-W", "ignore", "-m", module, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        done = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.5):
                peak = max(peak, _memory_of_tree(running.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        printed, _ = running.communicate()
        done.set()
        watcher.join()
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, command)
    return Cost(f"{what}: {printed.splitlines()[-1]}", time.perf_counter() - start, peak)


def _memory_of_tree(pid: int) -> float:
    """Megabytes; what processes share is divided among them."""
    total = 0.0
    try:
        first = psutil.Process(pid)
        for process in (first, *first.children(recursive=True)):
            total += process.memory_full_info().pss / 2**20
    except psutil.NoSuchProcess:  # it ended while it was looked at
        pass
    return total


def cost_of_call(what: str, prepare: str, call: str, result: str = "None") -> Cost:
    """Time one call in a fresh process, and evaluate an expression behind it."""
    code = (
        f"{_PEAK}{prepare}\n"
        "open('/proc/self/clear_refs', 'w').write('5')  # the peak, from here on\n"
        f"import time; start = time.perf_counter()\n{call}\n"
        f"print(time.perf_counter() - start, peak_mb(), {result})"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True, text=True
    )
    seconds, peak, found = done.stdout.split()[-3:]
    return Cost(what, float(seconds), float(peak), None if found == "None" else float(found))
