"""An error as the last line that a command says: what was wrong, and what to do about it."""

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

# What the command line calls the parameters that messages of the library name.
_OPTIONS = {"checkpoint=": "--checkpoint ", "timeout=": "--timeout ", "n_jobs ": "--jobs "}
_PARAMETER = re.compile(f"(?<![^ ])({'|'.join(_OPTIONS)})")  # a word's beginning: no part of a path


def say(words: str) -> None:
    """Say it in one line on standard error, if anybody is there to read."""
    # what moves a cursor or changes colours is shown as Python writes it
    shown = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in " ".join(words.split())
    )
    try:
        print(f"mnist-models: {shown}", file=sys.stderr, flush=True)
    except OSError:
        drop(sys.stderr)


def drop(stream: TextIO) -> None:
    """Lead a stream that nobody reads to nowhere; else Python would try it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def in_words(error: BaseException) -> str:
    """Its message, what was added to it, and the remedy where the system knows none.

    Parameters
    ----------
    error : BaseException
        What ended the command.

    Returns
    -------
    str
        Parameters are called what they are on the command line.
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
