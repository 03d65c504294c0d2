"""Progress of a run: shown on a terminal or passed to a callable, silent anywhere else."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from statistics import fmean
from time import perf_counter
from typing import Any, NamedTuple


class Step(NamedTuple):
    """One event in a run, as ``progress=`` passes it to a callable.

    Attributes
    ----------
    what : {"begun", "retried", "finished", "kept", "lost"}
        What happened to the fit: ``"kept"`` means that ``memory`` already had it,
        ``"retried"`` that its worker died and it will be tried again.
    model : str
        The model's name.
    part : str
        ``"fold 3"``, or ``"test"`` for the fit on all rows; ``"500 rows, fold 3"`` in a learning
        curve.
    done, total : int
        Number of fits that are over, and of all fits.
    seconds : float
        Since the run began.
    seconds_left : float or None
        Estimated from the fits finished so far; None before the first.

    Examples
    --------
    >>> print(Step("finished", "network", "fold 3", 7, 18, 75.0, 118.0))
    network, fold 3: finished (7 of 18 fits done, about 118 s left)
    """

    what: str
    model: str
    part: str
    done: int
    total: int
    seconds: float
    seconds_left: float | None

    def __str__(self) -> str:
        left = "" if self.seconds_left is None else f", about {self.seconds_left:.0f} s left"
        fit = f"{self.model}, {self.part}: {self.what}"
        return f"{fit} ({self.done} of {self.total} fits done{left})"


StepCallback = Callable[[Step], None]


class ProgressTracker:
    """Counts and times the fits of a run, given by their models' names, for :class:`Step`."""

    def __init__(self, callback: StepCallback, models: Sequence[str]) -> None:
        self._callback, self._total = callback, len(models)
        self._n_left = Counter(models)
        self._durations: dict[str, list[float]] = {}
        self._start, self._fit_starts = perf_counter(), dict[Any, float]()

    def __call__(self, what: str, task: Any) -> None:
        """Record that ``what`` happened to a fit, and call the callback."""
        now, fit = perf_counter(), (task.name, task.part)
        if what == "begun":
            self._fit_starts[fit] = now
        elif what != "retried":
            self._n_left[task.name] -= 1
        if what in ("finished", "lost") and fit in self._fit_starts:
            self._durations.setdefault(task.name, []).append(now - self._fit_starts[fit])
        done, seconds = self._total - self._n_left.total(), now - self._start
        self._callback(Step(what, *fit, done, self._total, seconds, self._seconds_left(seconds)))

    def _seconds_left(self, seconds: float) -> float | None:
        """Estimate it: a fit takes the mean of its model's past fits, or of all past fits."""
        every = [duration for durations in self._durations.values() for duration in durations]
        if not every or not seconds:  # on a coarse clock no time has passed
            return None
        means = {name: fmean(durations) for name, durations in self._durations.items()}
        left = sum(n * means.get(name, fmean(every)) for name, n in self._n_left.items())
        return left / max(1.0, sum(every) / seconds)  # by how many run at once


@contextmanager
def track_progress(
    progress: bool | StepCallback | None, models: Sequence[str]
) -> Iterator[ProgressTracker]:
    """Pass steps to a callable, or show them: on a terminal, and for True in lines elsewhere."""
    if callable(progress):
        yield ProgressTracker(progress, models)
    elif progress is not False and _is_terminal(sys.stderr):
        with _display(len(models)) as show:
            yield ProgressTracker(show, models)
    else:
        yield ProgressTracker(_print_line if progress else lambda step: None, models)


def _is_terminal(stream: Any) -> bool:
    """Ask the stream itself: rich would obey ``FORCE_COLOR``, and write codes into files."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # None, or closed
        return False


def _print_line(step: Step) -> None:
    if step.what != "begun":
        print(step, file=sys.stderr)


@contextmanager
def _display(total: int) -> Iterator[StepCallback]:
    """A bar for the whole run, and a line for every fit at work."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    console = Console(stderr=True, force_terminal=True)
    # a model may be called "[red]"; a long name wraps, so that it leaves the numbers room
    name = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=False))
    columns: list[ProgressColumn] = [name, TextColumn("{task.fields[count]}")]
    if console.width >= 80:  # there is room
        columns = [name, BarColumn(bar_width=24), *columns[1:], TimeElapsedColumn()]
    # what models print goes above the display, or into the file that standard output may be
    redirect = _is_terminal(sys.stdout)
    with Progress(*columns, console=console, transient=True, redirect_stdout=redirect) as display:
        whole_run = display.add_task("fits", total=total, count=f"0 of {total}")
        lines: dict[str, Any] = {}

        def show(step: Step) -> None:
            fit = f"{step.model}, {step.part}"
            if fit in lines:
                display.remove_task(lines.pop(fit))
            if step.what == "begun":
                lines[fit] = display.add_task(fit, total=None, count="")
            clock = timedelta(seconds=round(step.seconds_left or 0))
            left = "" if step.seconds_left is None else f", {clock} left"
            count = f"{step.done} of {step.total}{left}"
            display.update(whole_run, completed=step.done, count=count)

        yield show
