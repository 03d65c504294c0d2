"""The few errors a caller may want to catch, and four warnings.

::

    ValueError
     +- DatasetFormatError       a file is not the data set it should be
     +- ModelFormatError         a file is not a model this library saved
     |   +- ModelSecurityError   and this is no accident
    RuntimeError
     +- WorkerLostError          fits were lost because their worker processes died
    OSError
     +- DatasetUnavailableError  MNIST is not on disk and could not be downloaded
    UserWarning
     +- PreflightWarning         an evaluation would be misleading
     +- PictureWarning           a picture was read, but perhaps not rightly
     +- ModelVersionWarning      a model was saved with other library versions
     +- ScaleWarning             a model is asked about pixels on another scale than it knows

Other invalid input raises ``ValueError`` or ``TypeError``, as in scikit-learn.
"""

from typing import Any


class DatasetFormatError(ValueError):
    """A data file is malformed: the message says where, what was expected and what was found."""


class DatasetUnavailableError(OSError):
    """MNIST is in no folder and could not be downloaded: the message lists what was tried."""


class ModelFormatError(ValueError):
    """A file is not a model saved by :func:`mnist_models.save_model`, or it was damaged since."""


class ModelSecurityError(ModelFormatError):
    """A file is not the expected one, or its content was forged and its checksum adjusted.

    Do not use it; find out where it came from.
    """


class WorkerLostError(RuntimeError):
    """Some fits were lost because their worker processes died or did not finish in time.

    All other fits were finished first, and are kept in ``memory`` if it was given.

    Attributes
    ----------
    lost : dict of str to str
        What happened to each lost fit, as ``{"network, fold 3": "..."}``.
    finished : dict of str to Evaluation
        The results of the models that lost no fit.
    """

    def __init__(self, message: str, lost: dict[str, str], finished: dict[str, Any]) -> None:
        super().__init__(message)
        self.lost = lost
        self.finished = finished

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.lost, self.finished)


class PreflightWarning(UserWarning):
    """The models, data or folds would give misleading results; issued before the first fit.

    The message begins with the name of the finding, as in ``[duplicate-rows]``. Use that name to
    silence it: in ``ignore=`` of :func:`mnist_models.evaluate`, or in a ``warnings`` filter.
    """


class ModelVersionWarning(UserWarning):
    """A model was saved with other library versions: its predictions may differ slightly."""


class ScaleWarning(UserWarning):
    """Pixels are on another scale than those a model was fitted on: it will misread them."""


class PictureWarning(UserWarning):
    """A picture shows no digit, several, or one that the edge cuts. The message names the file."""
