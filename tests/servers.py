"""A real HTTPS server on this machine, with a certificate of its own, that misbehaves as asked.

Each way to misbehave is a folder of its address: ``https://localhost:PORT/cut/`` breaks off in the
middle of every file, ``https://localhost:PORT/good/`` serves them as they are.
"""

import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme


class Server:
    """The address of the server, how to trust it, and what it was asked for."""

    def __init__(self, folder: Path, certificates: Path) -> None:
        authority = trustme.CA()
        self.authority = certificates / "authority.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        self.asked: list[str] = []
        handler = type("Handler", (_Handler,), {"folder": folder, "asked": self.asked})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def mirror(self, manner: str) -> str:
        """The address at which the server behaves in this manner."""
        return f"https://localhost:{self._server.server_port}/{manner}/"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving(folder: Path, certificates: Path) -> Iterator[Server]:
    """Serve the files of a folder, and leave what clients need to trust us in another."""
    server = Server(folder, certificates)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def refusing_proxy() -> Iterator[str]:
    """The address of a proxy that lets nobody through without a password."""

    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            self.send_error(407)

        def log_message(self, format: str, *args: object) -> None:
            """A test has no use for a proxy's log."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    folder: Path
    asked: list[str]

    def do_GET(self) -> None:
        _, manner, name = self.path.split("/")
        self.asked.append(self.path)
        content = (self.folder / name).read_bytes()
        try:
            getattr(self, f"_{manner}")(content, name)
        except OSError:  # the client has had enough: as it should
            self.close_connection = True

    def _send(self, content: bytes, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def _good(self, content: bytes, _: str) -> None:
        self._send(content)

    def _slow(self, content: bytes, _: str) -> None:
        self._send(b"", len(content))
        for start in range(0, len(content), 2**18):
            self.wfile.write(content[start : start + 2**18])
            time.sleep(0.02)

    def _cut(self, content: bytes, _: str) -> None:
        self._send(content[: len(content) // 2], len(content))
        self.close_connection = True

    def _html(self, _: bytes, __: str) -> None:
        self._send(b"<html><body>please log in</body></html>")

    def _403(self, _: bytes, __: str) -> None:
        self.send_error(403)

    def _404(self, _: bytes, __: str) -> None:
        self.send_error(404)

    def _500(self, _: bytes, __: str) -> None:
        self.send_error(500)

    def _503(self, _: bytes, __: str) -> None:
        self.send_error(503)

    def _drip(self, content: bytes, _: str) -> None:
        self._send(b"", len(content))
        for byte in content:
            self.wfile.write(bytes([byte]))
            time.sleep(0.05)

    def _silent(self, content: bytes, _: str) -> None:
        self._send(b"", len(content))
        time.sleep(3)

    def _plain(self, _: bytes, name: str) -> None:
        self.send_response(302)
        self.send_header("Location", f"http://localhost:9/{name}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _circle(self, _: bytes, name: str) -> None:
        self.send_response(302)
        self.send_header("Location", f"/circle/{name}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _flood(self, __: bytes, name: str) -> None:
        self.send_response(302)
        self.send_header("Location", f"/good/{name}")
        self.end_headers()
        for _ in range(2**12):
            self.wfile.write(bytes(2**16))

    def _short(self, content: bytes, _: str) -> None:
        self._send(content, len(content) - 10)
        self.close_connection = True

    def _endless(self, _: bytes, __: str) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(bytes(2**16))

    def _altered(self, content: bytes, _: str) -> None:
        self._send(content[:100] + bytes([content[100] ^ 1]) + content[101:])

    def _garbled(self, _: bytes, __: str) -> None:
        self.wfile.write(b"\0\1\2 what is this\r\n\r\n")
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """A test has no use for a server's log."""
