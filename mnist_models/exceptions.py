"""The few errors a caller may want to catch, and a warning.

::

    ValueError
     +- DatasetFormatError       a file is not the data set it should be
     +- ModelFormatError         a file is not a model this library saved
    OSError
     +- DatasetUnavailableError  MNIST is neither at hand nor to be had
    UserWarning
     +- PreflightWarning         an evaluation would mislead

Everything else is the ``ValueError`` or ``TypeError`` that scikit-learn raises in the same place.
"""


class DatasetFormatError(ValueError):
    """A data file is malformed: the message names file, offset, what was expected and what came."""


class DatasetUnavailableError(OSError):
    """MNIST is in no folder and could not be downloaded: the message lists what was tried."""


class ModelFormatError(ValueError):
    """A file is not a model saved by :func:`mnist_models.save_model`, or it was damaged since."""


class PreflightWarning(UserWarning):
    """Something about models, data or folds would mislead: said before the first fit.

    The message begins with the name of the finding, as in ``[duplicate-rows]``. By that name it is
    silenced: with ``ignore=`` of :func:`mnist_models.evaluate`, or by a filter of :mod:`warnings`.
    """
