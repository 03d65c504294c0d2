"""The line that a command prints when it fails: what was wrong, and what to do about it."""

import errno
import os
import re
import sys
from typing import TextIO

_REMEDIES = {
    errno.ENOENT: "Check its name.",
    errno.ENOTDIR: "Check its name.",
    errno.ENAMETOOLONG: "Check its name.",
    errno.ELOOP: "Name the file itself.",
    errno.EISDIR: "Name a file in it.",
    errno.EACCES: "Ask its owner, or name another.",
    errno.EPERM: "Ask its owner, or name another.",
    errno.EROFS: "Name another place.",
    errno.ENOSPC: "Make room, or name another place.",
    errno.EDQUOT: "Make room, or name another place.",
    errno.EFBIG: "Name another place, or raise the limit (ulimit -f).",
    errno.EMFILE: "Raise the limit (ulimit -n).",
}

# The command line's names for parameters that the library's messages name.
_OPTIONS = {"checkpoint=": "--checkpoint ", "timeout=": "--timeout ", "n_jobs ": "--jobs "}
# At the start of a word only: not inside a path.
_PARAMETER = re.compile(f"(?<![^ ])({'|'.join(_OPTIONS)})")


def print_message(message: str) -> None:
    """Print one line on standard error; if nobody reads it, nothing happens."""
    # escaped: what would move a cursor or change colours
    line = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in " ".join(message.split())
    )
    try:
        print(f"mnist-models: {line}", file=sys.stderr, flush=True)
    except OSError:
        discard_output(sys.stderr)


def discard_output(stream: TextIO) -> None:
    """Redirect a stream that cannot be written, which Python would otherwise flush at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def error_message(error: BaseException) -> str:
    """An error's message and notes, with a remedy for errors of the operating system.

    Parameters
    ----------
    error : BaseException
        What ended the command.

    Returns
    -------
    str
        With the command line's names for parameters.
    """
    notes = getattr(error, "__notes__", ())
    message = " ".join([_message(error), *notes])
    return _PARAMETER.sub(lambda found: _OPTIONS[found[1]], message)


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        named = "" if error.filename is None else f"{error.filename}: "
        return f"{named}{error.strerror}. {_REMEDIES.get(error.errno, '')}"
    if isinstance(error, MemoryError):
        return f"Out of memory. {error} Free some, or give fewer images or --jobs."
    return str(error) or type(error).__name__
