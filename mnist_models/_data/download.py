"""A file from the first of several addresses that has the right one, over HTTPS alone.

Nothing is believed of a server: not how much it sends, not how long it takes, not what it says
the content is. Proxies and certificates are those of the usual environment variables.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import TypeVar

from mnist_models.exceptions import DatasetFormatError, DatasetUnavailableError

# A server must answer, and go on answering, within so many seconds; and have done within so many.
_SILENCE_SECONDS = 15.0
_MOST_SECONDS = 300.0
_BLOCK_BYTES = 2**16

Read = TypeVar("Read")


def first_good(
    urls: Iterable[str], most_bytes: int, read: Callable[[bytes], Read]
) -> tuple[bytes, Read]:
    """The content of a file from the first address that serves the right one, and what it says.

    Parameters
    ----------
    urls : iterable of str
        Tried in turn, each once.
    most_bytes : int
        No more than these are taken of any server.
    read : callable
        Makes of the content what it says, or raises DatasetFormatError.

    Raises
    ------
    DatasetUnavailableError
        If there is none. The message is a list: each address, and why not from there.
    """
    reasons = []
    for url in urls:
        try:
            content = b"".join(_blocks(url, most_bytes))
            return content, read(content)
        except (OSError, DatasetFormatError) as error:  # requests' errors are OSErrors
            reasons.append(f"{url}: {error}")
    raise DatasetUnavailableError("; ".join(reasons))


def _blocks(url: str, most_bytes: int) -> Iterator[bytes]:
    """What the server sends, as it comes; OSError where it is too much, too late or cut off."""
    import requests
    from urllib3.exceptions import HTTPError

    end, left = time.monotonic() + _MOST_SECONDS, most_bytes
    with requests.Session() as session:
        del session.adapters["http://"]  # to which a redirection might lead
        # the file as it lies there: no compression of the connection's own that would be undone
        headers = {"Accept-Encoding": "identity"}
        response = session.get(url, headers=headers, stream=True, timeout=_SILENCE_SECONDS)
        with closing(response):
            response.raise_for_status()
            try:
                while block := response.raw.read1(_BLOCK_BYTES, decode_content=False):
                    left -= len(block)
                    if left < 0:
                        raise OSError(f"expected at most {most_bytes} bytes, found more")
                    if time.monotonic() > end:
                        raise OSError(f"expected the file within {_MOST_SECONDS:g} s: too slow")
                    yield block
            except HTTPError as error:  # urllib3's own, which is no OSError
                raise OSError(f"expected the whole file: {error}") from error
