"""A real HTTP server on this machine that misbehaves as asked.

Each way to misbehave is a folder of its address: ``http://127.0.0.1:PORT/cut/`` breaks off in the
middle of every file, ``http://127.0.0.1:PORT/good/`` serves them as they are.
"""

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Server:
    """Serves the files of a folder, and notes what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        handler = type("Handler", (_Handler,), {"folder": folder, "asked": self.asked})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def mirror(self, manner: str) -> str:
        """The address at which the server behaves in this manner."""
        return f"http://127.0.0.1:{self._server.server_port}/{manner}/"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve the files of a folder."""
    server = Server(folder)
    try:
        yield server
    finally:
        server.stop()


class _Handler(http.server.BaseHTTPRequestHandler):
    folder: Path
    asked: list[str]

    def do_GET(self) -> None:
        _, manner, name = self.path.split("/")
        self.asked.append(self.path)
        content = (self.folder / name).read_bytes()
        try:
            getattr(self, f"_{manner}")(content)
        except OSError:  # the client has gone, as it should
            self.close_connection = True

    def _send(self, content: bytes, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def _good(self, content: bytes) -> None:
        self._send(content, len(content))

    def _altered(self, content: bytes) -> None:
        self._send(content[:30] + bytes([content[30] ^ 1]) + content[31:], len(content))

    def _cut(self, content: bytes) -> None:
        self._send(content[: len(content) // 2], len(content))
        self.close_connection = True

    def _html(self, _: bytes) -> None:
        self._good(b"<html><body>please log in</body></html>")

    def _missing(self, _: bytes) -> None:
        self.send_error(404)

    def _garbled(self, _: bytes) -> None:
        self.wfile.write(b"\0\1\2 what is this\r\n\r\n")
        self.close_connection = True

    def _silent(self, content: bytes) -> None:
        self._send(content[:5], len(content))
        time.sleep(2)

    def _endless(self, _: bytes) -> None:
        self._send(b"", 2**40)
        while True:
            self.wfile.write(bytes(2**11))
            time.sleep(0.01)

    def log_message(self, format: str, *args: object) -> None:
        """A test has no use for a server's log."""
