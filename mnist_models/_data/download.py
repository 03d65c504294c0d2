"""Download a file from the first of several addresses that serves the right one, over HTTPS only.

No server is trusted: size, time and content are all checked. Proxies and certificates are taken
from the usual environment variables.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, TypeVar

from mnist_models.exceptions import DatasetFormatError, DatasetUnavailableError

# The longest wait for a server's next bytes, and for the whole file.
_SILENCE_SECONDS = 15.0
_MOST_SECONDS = 300.0
_BLOCK_BYTES = 2**16

Read = TypeVar("Read")


def first_good(
    urls: Iterable[str], most_bytes: int, read: Callable[[bytes], Read]
) -> tuple[bytes, Read]:
    """Download a file from the first address that serves the right one, and parse it.

    Parameters
    ----------
    urls : iterable of str
        Tried in turn, each once.
    most_bytes : int
        A server that sends more is given up.
    read : callable
        Parses the bytes, or raises DatasetFormatError if they are not the right file.

    Returns
    -------
    content : bytes
    parsed
        What ``read`` makes of the content.

    Raises
    ------
    DatasetUnavailableError
        If no address serves it. The message lists each address and what was wrong with it.
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
    """Yield what the server sends; OSError if that is too much, too late or incomplete."""
    import requests
    from urllib3.exceptions import HTTPError

    end, left = time.monotonic() + _MOST_SECONDS, most_bytes
    with requests.Session() as session:
        del session.adapters["http://"]  # a redirect might lead there
        session.hooks["response"].append(_close_redirect)
        # the file's own bytes: no compression by the server, which would have to be undone
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
            except HTTPError as error:  # urllib3's own is not an OSError
                raise OSError(f"expected the whole file: {error}") from error


def _close_redirect(response: Any, **_: Any) -> None:
    """Close a redirect at once: requests would read its body to the end, however long it is."""
    if response.is_redirect:
        response.close()
