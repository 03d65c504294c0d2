"""A progress bar on a terminal, and nothing anywhere else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(total: int, shown: bool | None) -> Iterator[Callable[[str], None]]:
    """Count finished work on standard error.

    Parameters
    ----------
    total : int
        How many steps there are.
    shown : bool or None
        Whether to draw at all. None: if standard error is a terminal.

    Yields
    ------
    callable
        Called with the name of each step once it is done.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, force_terminal=shown or None)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    drawn = shown is not False and console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not drawn) as progress:
        task = progress.add_task("fitting", total=total)

        def advance(done: str) -> None:
            progress.update(task, advance=1, description=done)

        yield advance
