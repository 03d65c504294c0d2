"""Progress of a run: shown on a terminal or passed to a callable, silent anywhere else."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from rich.progress import Progress


class Step(NamedTuple):
    """One event in a run, as ``progress=`` passes it to a callable.

    Attributes
    ----------
    what : {"begun", "epoch", "retried", "finished", "kept", "lost"}
        What happened to the fit: ``"kept"`` means that the checkpoint already had it,
        ``"retried"`` that its worker died and it will be tried again.
    model : str
        The model's name.
    part : str
        ``"fold 3"``, or ``"test"`` for the fit on all rows.
    done, total : int
        Number of fits that are over, and of all fits.
    epoch, epochs : int or None
        Epochs done, and the maximum; None except for ``"epoch"``.
    seconds : float
        Since the run began.
    seconds_left : float or None
        Estimated from the fits finished so far; None before the first.

    Examples
    --------
    >>> print(Step("epoch", "network", "fold 3", 7, 18, 4, 20, 75.0, 118.0))
    network, fold 3: epoch 4 of 20 (7 of 18 fits done, about 118 s left)
    """

    what: str
    model: str
    part: str
    done: int
    total: int
    epoch: int | None
    epochs: int | None
    seconds: float
    seconds_left: float | None

    def __str__(self) -> str:
        what = self.what if self.epoch is None else f"epoch {self.epoch} of {self.epochs}"
        left = "" if self.seconds_left is None else f", about {self.seconds_left:.0f} s left"
        return f"{self.model}, {self.part}: {what} ({self.done} of {self.total} fits done{left})"


StepCallback = Callable[[Step], None]
_WIDE = 80  # columns of a terminal that has room for bars and clocks


class ProgressTracker:
    """Counts and times the fits of a run, and makes a :class:`Step` of each event.

    Parameters
    ----------
    callback : callable
        Called with each Step.
    models : sequence of str
        The model's name for every fit of the run.
    """

    def __init__(self, callback: StepCallback, models: Sequence[str]) -> None:
        self._callback, self._total = callback, len(models)
        self._n_left = Counter(models)
        self._durations: dict[str, list[float]] = {}
        self._start, self._fit_starts = perf_counter(), dict[Any, float]()

    def __call__(
        self, what: str, task: Any, epoch: int | None = None, epochs: int | None = None
    ) -> None:
        """Record that ``what`` happened to a fit, and call the callback."""
        now, fit = perf_counter(), (task.name, task.part)
        if what == "begun":
            self._fit_starts[fit] = now
        elif what not in ("epoch", "retried"):
            self._n_left[task.name] -= 1
        if what in ("finished", "lost") and fit in self._fit_starts:
            self._durations.setdefault(task.name, []).append(now - self._fit_starts[fit])
        done = self._total - self._n_left.total()
        seconds, left = now - self._start, self._seconds_left(now)
        self._callback(Step(what, *fit, done, self._total, epoch, epochs, seconds, left))

    def _seconds_left(self, now: float) -> float | None:
        """Estimate it: a fit takes the mean of its model's past fits, or of all past fits."""
        every = [seconds for durations in self._durations.values() for seconds in durations]
        if not every or now == self._start:  # on a coarse clock no time has passed
            return None
        n_at_once = max(1.0, sum(every) / (now - self._start))
        means = {name: fmean(durations) for name, durations in self._durations.items()}
        mean = fmean(every)
        left = sum(n_left * means.get(name, mean) for name, n_left in self._n_left.items())
        return left / n_at_once


@contextmanager
def track_progress(
    progress: bool | StepCallback | None, models: Sequence[str]
) -> Iterator[ProgressTracker]:
    """A tracker that shows its steps, or passes them to the caller's callable.

    Parameters
    ----------
    progress : bool, callable or None
        A callable gets every :class:`Step`. None: a display on standard error, if that is a
        terminal. True: the same, and elsewhere a line for every fit that is over.
    models : sequence of str
        The model's name for every fit of the run.

    Yields
    ------
    ProgressTracker
    """
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
    if step.what not in ("begun", "epoch"):
        print(step, file=sys.stderr)


@contextmanager
def _display(total: int) -> Iterator[StepCallback]:
    """A line for the whole run, and one for every fit at work, with its epochs if it has any."""
    with _make_display() as display:
        whole_run = display.add_task("fits", total=total, count=f"0 of {total}")
        lines: dict[tuple[str, str], Any] = {}
        retried = set[tuple[str, str]]()

        def show(step: Step) -> None:
            fit = (step.model, step.part)
            if step.what == "epoch" and fit in lines:
                count = f"epoch {step.epoch} of {step.epochs}"
                display.update(lines[fit], completed=step.epoch, total=step.epochs, count=count)
                return
            if fit in lines:
                display.remove_task(lines.pop(fit))
            if step.what == "begun":
                count = "tried again" if fit in retried else ""
                lines[fit] = display.add_task(", ".join(fit), total=None, count=count)
            elif step.what == "retried":
                retried.add(fit)
            left = "" if step.seconds_left is None else f", {_clock(step.seconds_left)} left"
            display.update(
                whole_run, completed=step.done, count=f"{step.done} of {step.total}{left}"
            )

        yield show


def _make_display() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    console = Console(stderr=True, force_terminal=True)
    # a model may be called "[red]"; a long name wraps, so that it leaves the numbers room
    name = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=False))
    count = TextColumn("{task.fields[count]}")
    columns: list[ProgressColumn] = [name, count]
    if console.width >= _WIDE:
        columns = [name, BarColumn(bar_width=24), count, TimeElapsedColumn()]
    return Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=_is_terminal(sys.stdout),  # a file gets what models print
    )


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:d}:{minutes:02d}:{seconds:02d}"
