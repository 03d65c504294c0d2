"""All the fits of a comparison: read from the checkpoint, or made now and kept there."""

from collections.abc import Mapping
from contextlib import closing
from functools import partial
from typing import Any

from mnist_models._progress import ProgressTracker
from mnist_models._running.checkpoint import Checkpoint
from mnist_models._running.engine import RunOptions, make_fits
from mnist_models._running.fitting import Data, Outcome, Scoring, Task
from mnist_models._running.input import Folds
from mnist_models._running.schedule import Callbacks, Lost


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
    tasks: list[Task],
    data: Data,
    options: RunOptions,
    checkpoint: Checkpoint | None,
    notify: ProgressTracker,
) -> tuple[dict[str, Outcome], dict[str, str]]:
    """Run every task that the checkpoint, if there is one, has no outcome of, and keep it there.

    Returns
    -------
    outcomes : dict of str to Outcome
        By the task's name.
    lost : dict of str to str
        The reasons why the other tasks have none.
    """
    outcomes, lost = {} if checkpoint is None else checkpoint.finished(tasks, data), {}
    for task in tasks:
        if str(task) in outcomes:
            notify("kept", task)
    todo = [task for task in tasks if str(task) not in outcomes]
    callbacks = Callbacks(*(partial(notify, what) for what in Callbacks._fields))
    # closed, and with it the workers, as soon as something below fails
    with closing(make_fits(todo, data, options, callbacks)) as results:
        for task, outcome in results:
            if isinstance(outcome, Lost):
                lost[str(task)] = outcome.reason
                notify("lost", task)
                continue
            if checkpoint is not None:
                checkpoint.keep(task, outcome)
            outcomes[str(task)] = outcome
            notify("finished", task)
    return outcomes, lost
