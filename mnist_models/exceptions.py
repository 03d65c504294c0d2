"""The few errors a caller may want to catch, and a warning.

::

    ValueError
     +- DatasetFormatError       a file is not the data set it should be
     +- ModelFormatError         a file is not a model this library saved
     |   +- ModelSecurityError   nor can it have become what it is by accident
     +- ResumeMismatchError      a checkpoint is of another run
    RuntimeError
     +- CheckpointInUseError     another run is at work on that checkpoint
     +- WorkerLostError          fits were lost with the workers that made them
    OSError
     +- DatasetUnavailableError  MNIST is neither at hand nor to be had
    UserWarning
     +- PreflightWarning         an evaluation would mislead
     +- ModelVersionWarning      a model was saved by other versions than load it

Everything else is the ``ValueError`` or ``TypeError`` that scikit-learn raises in the same place.
"""

from typing import Any


class DatasetFormatError(ValueError):
    """A data file is malformed: the message names file, offset, what was expected and what came."""


class DatasetUnavailableError(OSError):
    """MNIST is in no folder and could not be downloaded: the message lists what was tried."""


class ModelFormatError(ValueError):
    """A file is not a model saved by :func:`mnist_models.save_model`, or it was damaged since."""


class ModelSecurityError(ModelFormatError):
    """A file is not the one expected, or what it says was forged: its own checksum agrees with it.

    It should not be used; find out where it comes from.
    """


class ResumeMismatchError(ValueError):
    """A checkpoint is of a run with other data, folds, parameters or versions: which is said."""


class CheckpointInUseError(RuntimeError):
    """Another run is at work on the same checkpoint; its process is named."""


class WorkerLostError(RuntimeError):
    """Some fits died with the processes that made them, or did not end in time.

    All others were finished first, and are in the checkpoint if there is one.

    Attributes
    ----------
    lost : dict of str to str
        What became of each, as ``{"network, fold 3": "..."}``.
    finished : dict of str to Evaluation
        The models none of whose fits were lost.
    """

    def __init__(self, message: str, lost: dict[str, str], finished: dict[str, Any]) -> None:
        super().__init__(message)
        self.lost = lost
        self.finished = finished

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.lost, self.finished)


class PreflightWarning(UserWarning):
    """Something about models, data or folds would mislead: said before the first fit.

    The message begins with the name of the finding, as in ``[duplicate-rows]``. By that name it is
    silenced: with ``ignore=`` of :func:`mnist_models.evaluate`, or by a filter of ``warnings``.
    """


class ModelVersionWarning(UserWarning):
    """A model was saved by other versions of libraries than load it: answers may differ a bit."""
