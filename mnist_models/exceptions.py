"""The few errors a caller may want to catch.

::

    ValueError
     +- DatasetFormatError       a file is not the data set it should be
     +- ModelFormatError         a file is not a model this library saved
    OSError
     +- DatasetUnavailableError  MNIST is neither at hand nor to be had

Everything else is the ``ValueError`` or ``TypeError`` that scikit-learn raises in the same place.
"""


class DatasetFormatError(ValueError):
    """A data file is malformed: the message names file, offset, what was expected and what came."""


class DatasetUnavailableError(OSError):
    """MNIST is in no folder and could not be downloaded: the message lists what was tried."""


class ModelFormatError(ValueError):
    """A file is not a model saved by :func:`mnist_models.save_model`, or it was damaged since."""
