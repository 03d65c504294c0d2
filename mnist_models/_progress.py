"""How far a run is: said to a callable, shown on a terminal, and nothing anywhere else."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any, NamedTuple


class Step(NamedTuple):
    """One thing that happened in a run, for ``progress=``.

    Attributes
    ----------
    what : {"begun", "epoch", "retried", "finished", "kept", "lost"}
        What happened to the fit: ``"kept"`` is one that the checkpoint had, ``"retried"`` one whose
        worker died, and which is tried again.
    model : str
        Whose it is.
    part : str
        ``"fold 3"``, or ``"test"`` for the fit on all rows.
    done, total : int
        Fits that are over, of how many.
    epoch, epochs : int or None
        Epochs done, and the most there may be, where the model tells.
    seconds : float
        Since the run began.
    seconds_left : float or None
        Guessed from the fits finished so far; None before the first.

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


Hear = Callable[[Step], None]
_WIDE = 80  # columns of a terminal that has room for bars and clocks


class Teller:
    """Makes a :class:`Step` of whatever happens.

    Parameters
    ----------
    hear : callable
        Called with each.
    models : sequence of str
        The model of every fit there is to be.
    """

    def __init__(self, hear: Hear, models: Sequence[str]) -> None:
        self._hear, self._total = hear, len(models)
        self._left = Counter(models)
        self._took: dict[str, list[float]] = {}
        self._began, self._begun = perf_counter(), dict[Any, float]()

    def __call__(
        self, what: str, task: Any, epoch: int | None = None, epochs: int | None = None
    ) -> None:
        """Say that ``what`` happened to a fit."""
        now, name = perf_counter(), (task.name, task.part)
        if what == "begun":
            self._begun[name] = now
        elif what not in ("epoch", "retried"):
            self._left[task.name] -= 1
        if what in ("finished", "lost") and name in self._begun:
            self._took.setdefault(task.name, []).append(now - self._begun[name])
        done = self._total - self._left.total()
        seconds, left = now - self._began, self._seconds_left(now)
        self._hear(Step(what, *name, done, self._total, epoch, epochs, seconds, left))

    def _seconds_left(self, now: float) -> float | None:
        """Every model's fits take as long as those of its own that are done, or as the mean."""
        every = [seconds for took in self._took.values() for seconds in took]
        if not every or now == self._began:  # on a coarse clock no time has passed
            return None
        n_at_once = max(1.0, sum(every) / (now - self._began))
        means = {name: sum(took) / len(took) for name, took in self._took.items()}
        mean = sum(every) / len(every)
        left = sum(n_left * means.get(name, mean) for name, n_left in self._left.items())
        return left / n_at_once


@contextmanager
def told(progress: bool | Hear | None, models: Sequence[str]) -> Iterator[Teller]:
    """Tell whoever is to hear of it how far the run is.

    Parameters
    ----------
    progress : bool, callable or None
        A callable gets every :class:`Step`. None: a display on standard error, if that is a
        terminal. True: the same, and elsewhere a line for every fit that is over.
    models : sequence of str
        The model of every fit there is to be.

    Yields
    ------
    Teller
    """
    if callable(progress):
        yield Teller(progress, models)
    elif progress is not False and _is_terminal(sys.stderr):
        with _display(len(models)) as hear:
            yield Teller(hear, models)
    else:
        yield Teller(_write if progress else lambda step: None, models)


def _is_terminal(stream: Any) -> bool:
    """Asked of the stream itself: rich believes ``FORCE_COLOR``, and writes codes to files."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False


def _write(step: Step) -> None:
    if step.what not in ("begun", "epoch"):
        print(step, file=sys.stderr)


@contextmanager
def _display(total: int) -> Iterator[Hear]:
    """A line for the whole, and one for every fit at work, with its epochs where it has any."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    console = Console(stderr=True, force_terminal=True)
    columns: list[Any] = [
        # a model may be called [red]; a long name has several lines, so that numbers keep theirs
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=False)),
        TextColumn("{task.fields[count]}"),
    ]
    if console.width >= _WIDE:
        columns = [columns[0], BarColumn(bar_width=24), columns[1], TimeElapsedColumn()]
    shown = Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=_is_terminal(sys.stdout),  # what models print into a file stays in there
    )
    with shown:
        whole = shown.add_task("fits", total=total, count=f"0 of {total}")
        lines: dict[tuple[str, str], Any] = {}
        again = set[tuple[str, str]]()

        def hear(step: Step) -> None:
            name = (step.model, step.part)
            if step.what == "epoch" and name in lines:
                count = f"epoch {step.epoch} of {step.epochs}"
                shown.update(lines[name], completed=step.epoch, total=step.epochs, count=count)
                return
            if name in lines:
                shown.remove_task(lines.pop(name))
            if step.what == "begun":
                count = "tried again" if name in again else ""
                lines[name] = shown.add_task(", ".join(name), total=None, count=count)
            elif step.what == "retried":
                again.add(name)
            left = "" if step.seconds_left is None else f", {_clock(step.seconds_left)} left"
            shown.update(whole, completed=step.done, count=f"{step.done} of {step.total}{left}")

        yield hear


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:d}:{minutes:02d}:{seconds:02d}"
