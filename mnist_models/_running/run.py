"""All the fits of a comparison: from the checkpoint, or made now and kept there."""

from collections.abc import Mapping
from contextlib import closing
from functools import partial
from typing import Any

from mnist_models._progress import Teller
from mnist_models._running.checkpoint import Checkpoint
from mnist_models._running.engine import Asked, make_fits
from mnist_models._running.fitting import Data, Outcome, Scoring, Task
from mnist_models._running.input import Folds
from mnist_models._running.schedule import Hearing, Lost


def make_tasks(
    models: Mapping[str, Any], folds: Folds, tested: bool, scoring: Scoring
) -> list[Task]:
    """Every model's folds, then its fit on all rows if there is a test set."""
    tasks = []
    for name, model in models.items():
        tasks += [
            Task(name, model, number, fold, scoring, reported=not tested)
            for number, fold in enumerate(folds)
        ]
        if tested:
            tasks.append(Task(name, model, len(folds), None, scoring, reported=True))
    return tasks


def make_all(
    tasks: list[Task], data: Data, asked: Asked, kept: Checkpoint | None, tell: Teller
) -> tuple[dict[str, Outcome], dict[str, str]]:
    """The outcome of every task by its name, and what became of those that have none.

    What the checkpoint has is taken from there; what is fitted is put there.
    """
    outcomes, lost = {} if kept is None else kept.finished(tasks, data), {}
    for task in tasks:
        if str(task) in outcomes:
            tell("kept", task)
    todo = [task for task in tasks if str(task) not in outcomes]
    hearing = Hearing(*(partial(tell, what) for what in ("begun", "epoch", "retried")))
    # closed at once if something below fails, and with it the workers
    with closing(make_fits(todo, data, asked, hearing)) as made:
        for task, outcome in made:
            if isinstance(outcome, Lost):
                lost[str(task)] = outcome.reason
                tell("lost", task)
                continue
            if kept is not None:
                kept.keep(task, outcome)
            outcomes[str(task)] = outcome
            tell("finished", task)
    return outcomes, lost
