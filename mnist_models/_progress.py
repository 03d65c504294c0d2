"""How far a run is: said to a callable, shown on a terminal, and nothing anywhere else."""

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
        A callable gets every :class:`Step`. True: a display on standard error; None: if that is a
        terminal.
    models : sequence of str
        The model of every fit there is to be.

    Yields
    ------
    Teller
    """
    if callable(progress):
        yield Teller(progress, models)
        return
    from rich.console import Console

    console = Console(stderr=True, force_terminal=progress or None)
    if progress is False or not console.is_terminal:
        yield Teller(lambda step: None, models)
        return
    with _display(console, len(models)) as hear:
        yield Teller(hear, models)


@contextmanager
def _display(console: Any, total: int) -> Iterator[Hear]:
    """A line for the whole, and one for every fit at work, with its epochs where it has any."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),  # a model may be called [red]
        BarColumn(bar_width=None),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, expand=False) as shown:
        whole = shown.add_task("fits", total=total, count=f"0 of {total}")
        lines: dict[tuple[str, str], Any] = {}

        def hear(step: Step) -> None:
            name = (step.model, step.part)
            if step.what == "begun":
                lines[name] = shown.add_task(", ".join(name), total=None, count="")
            elif step.what == "epoch":
                count = f"epoch {step.epoch} of {step.epochs}"
                shown.update(lines[name], completed=step.epoch, total=step.epochs, count=count)
            else:
                if name in lines:
                    shown.remove_task(lines.pop(name))
                left = "" if step.seconds_left is None else f", {_clock(step.seconds_left)} left"
                count = f"{step.done} of {step.total}{left}"
                shown.update(whole, completed=step.done, count=count)

        yield hear


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:d}:{minutes:02d}:{seconds:02d}"
