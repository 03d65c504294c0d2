"""A fit comes to its end, or has not been."""

from types import TracebackType
from typing import Any


class Untouched:
    """Inside, an estimator may change; if an error or Ctrl-C ends that, it is as it was before.

    scikit-learn's ``fit`` sets attribute after attribute. One that is interrupted leaves some of
    the old and some of the new, which may well answer, and wrongly.

    Parameters
    ----------
    estimator : estimator
        Its attributes are put back as they were; lists among them, which may grow in place, with
        the same contents.

    Examples
    --------
    >>> from mnist_models.preprocessing import Standardize
    >>> standardize = Standardize().fit([[1.0], [3.0]])
    >>> try:
    ...     with Untouched(standardize):
    ...         standardize.mean_ = None
    ...         raise MemoryError
    ... except MemoryError:
    ...     print(standardize.mean_)
    [2.]
    """

    # A class, not a generator: once it is entered, no instant is left uncovered.
    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self._before = {
            name: value.copy() if type(value) is list else value
            for name, value in vars(estimator).items()
        }

    def __enter__(self) -> None:
        """Nothing is left to do."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put everything back, in one step, if it did not end well."""
        if kind is not None:
            self._estimator.__dict__ = self._before
