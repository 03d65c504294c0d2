"""Kernels: plain loops over arrays that numba compiles on first use and caches on disk.

Importing this module imports numba, so it and the kernel modules are imported inside the methods
that call them.

numba's cache notices changes only in the file of the kernel that is called. So a kernel calls
kernels of its own file only; otherwise outdated code could survive an upgrade. And a NamedTuple
that kernels take keeps its name: numba unpickles an outdated entry before it discards it.
"""

from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function on its first call; it then runs without holding the GIL.

    Division by 0 gives infinity or NaN, as in NumPy, instead of raising.

    The compiled code is cached beside the source or, where that is not writable, in the user's
    numba cache (``NUMBA_CACHE_DIR`` sets another folder). Where neither can be written, every
    process compiles again.
    """
    try:
        return numba.njit(function, cache=True, nogil=True, error_model="numpy")
    except RuntimeError:  # numba found no folder it can write to
        return numba.njit(function, nogil=True, error_model="numpy")
