"""Kernels: plain loops over arrays that numba compiles on first use and keeps.

Importing this module imports numba, so it and the files of kernels are imported inside the methods
that call them. numba recognises a kernel that it kept by the text of its own file: a kernel calls
kernels of that file only, or an old one might live on in a new release.
"""

from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function on its first call, to run without Python's lock.

    Division by 0 gives infinity or NaN, as in NumPy, and is no error.

    The compiled code is kept beside the source, or else in numba's own cache folder of the user
    (``NUMBA_CACHE_DIR`` names another). Where neither can be written, every process compiles anew.
    """
    try:
        return numba.njit(function, cache=True, nogil=True, error_model="numpy")
    except RuntimeError:  # numba's way to say that it found no folder to write into
        return numba.njit(function, nogil=True, error_model="numpy")
