"""A fit succeeds, or leaves the estimator as it was."""

from types import TracebackType
from typing import Any


class RestoredOnError:
    """Give an estimator back its attributes if the block ends with an error or Ctrl-C.

    scikit-learn's ``fit`` sets one attribute after another. If it is interrupted, old and new ones
    are mixed, and the estimator may predict without complaint, but wrongly.

    Parameters
    ----------
    estimator : estimator
        Its attributes are restored; lists, which may have grown in place, with their old contents.

    Examples
    --------
    >>> from mnist_models.preprocessing import Standardize
    >>> standardize = Standardize().fit([[1.0], [3.0]])
    >>> try:
    ...     with RestoredOnError(standardize):
    ...         standardize.mean_ = None
    ...         raise MemoryError
    ... except MemoryError:
    ...     print(standardize.mean_)
    [2.]
    """

    # A class, not a generator: no instant between entering and leaving is left unprotected.
    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self._before = {
            name: value.copy() if type(value) is list else value
            for name, value in vars(estimator).items()
        }

    def __enter__(self) -> None:
        """Do nothing: the attributes were saved on construction."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Restore all attributes in one step after an error."""
        if kind is not None:
            self._estimator.__dict__ = self._before
