"""A page to draw digits on, for a browser on this machine: models answer after every stroke."""

import json
import math
import secrets
import sys
import threading
import warnings
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_models._blas import one_blas_thread
from mnist_models._page import make_environment
from mnist_models.exceptions import ScaleWarning
from mnist_models.pictures import lay_into_frame

# The drawing as the page sends it: square, a byte a pixel, from 0 for paper to 255 for ink.
SIDE = 280

# The only two addresses, and how they are asked for.
_METHODS = {"/": "GET", "/answer": "POST"}


class DrawingServer(ThreadingHTTPServer):
    """Serves the page at 127.0.0.1, which no other machine can reach.

    The port is taken at once, so that one in use is an error before models are fitted; 0 is a free
    one. Requests are answered from :meth:`use` to ``server_close``.
    """

    daemon_threads = False  # closing waits for them: models must not be at work while Python ends

    def __init__(self, port: int = 0) -> None:
        # not by the main thread, where Ctrl-C could come between two steps of answering
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,))
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            reason = f"{error.strerror}: give another --port, or none for a free one"
            raise OSError(error.errno, reason, f"port {port}") from error
        self.address = f"http://127.0.0.1:{self.server_port}/"
        # whatever else a browser calls this server, somebody else has chosen that name
        self.hosts = [f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")]
        self._lock = threading.Lock()
        self._models: Mapping[str, Any] = {}
        self._frame = 28

    def use(self, models: Mapping[str, Any]) -> None:
        """Begin to serve these fitted models, by name, after each has answered: once is slow.

        If they do not all read square pictures of one size, ValueError says so.
        """
        sizes = {name: int(model.n_features_in_) for name, model in models.items()}
        self._frame = math.isqrt(max(sizes.values()))
        if set(sizes.values()) != {self._frame**2} or self._frame > SIDE:
            raise ValueError(
                f"The models must read square pictures of one size, of at most {SIDE} x {SIDE} "
                f"pixels. Got pixels: {sizes}. Give models that were fitted on the same pictures."
            )
        self._models = models
        with warnings.catch_warnings():
            warnings.simplefilter("error", ScaleWarning)
            try:
                self.answer(np.tri(SIDE, dtype=np.uint8) * 255)
            except ScaleWarning as warning:
                raise ValueError(f"Drawings have pixels from 0 to 255. {warning}") from warning
        self._thread.start()

    def server_close(self) -> None:
        """End; no thread is left."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        super().server_close()

    def page(self, nonce: str) -> str:
        """The page; ``nonce`` marks the style and the script that may take effect."""
        models = [
            (name, [str(label) for label in model.classes_]) for name, model in self._models.items()
        ]
        template = make_environment().get_template("draw.html")
        return template.render(models=models, frame=self._frame, side=SIDE, nonce=nonce)

    def answer(self, drawing: NDArray[np.uint8]) -> dict[str, Any]:
        """What the models see of a drawing of shape (SIDE, SIDE), and how they read it."""
        models = []
        # one at a time, and on one core: where others are at work, BLAS's threads wait for theirs
        with self._lock, one_blas_thread():
            seen = lay_into_frame(drawing, self._frame).reshape(1, -1)
            for name, model in self._models.items():
                labels = [str(label) for label in model.classes_]
                (shares,) = model.predict_proba(seen)
                by_class = dict(zip(labels, shares.tolist(), strict=True))
                label = labels[shares.argmax()]
                models.append({"name": name, "label": label, "probabilities": by_class})
        return {"image": seen[0].tolist(), "models": models}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that left before it had its answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request, or refuses it in a sentence."""

    server: DrawingServer
    timeout = 2.0  # seconds that a browser may be silent
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(explain)s\n"

    def setup(self) -> None:
        super().setup()
        self._nonce = secrets.token_urlsafe(16)

    def do_GET(self) -> None:
        length = self.headers.get("Content-Length", "")
        size = int(length) if length.isascii() and length.isdigit() and len(length) < 10 else None
        # what is refused is read too, if it is no more: or the sender would not hear why
        body = self.rfile.read(size) if size is not None and size <= SIDE**2 else b""
        if refusal := self._refusal(size, body):
            self.send_error(refusal[0], explain=refusal[1])
        elif self.command == "GET":
            self._send("text/html; charset=utf-8", self.server.page(self._nonce))
        else:
            drawing = np.frombuffer(body, dtype=np.uint8).reshape(SIDE, SIDE)
            self._send("application/json", json.dumps(self.server.answer(drawing)))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _refusal(self, size: int | None, body: bytes) -> tuple[HTTPStatus, str] | None:
        """What is wrong with a request: the status, and what was expected."""
        hosts, method = self.headers.get_all("Host", []), _METHODS.get(self.path)
        if len(hosts) != 1 or hosts[0] not in self.server.hosts:
            return HTTPStatus.FORBIDDEN, f"This page is at {self.server.address} only."
        if method is None:
            return HTTPStatus.NOT_FOUND, f"There is only one page here: {self.server.address}"
        if method != self.command:
            return HTTPStatus.METHOD_NOT_ALLOWED, f"{self.path} takes {method} only."
        if method == "GET":
            return None
        if self.headers.get("Origin") != f"http://{hosts[0]}":
            return HTTPStatus.FORBIDDEN, f"Only the page at {self.server.address} may ask."
        if self.headers.get("Content-Type") != "application/octet-stream":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A drawing is application/octet-stream."
        if size is None:
            return HTTPStatus.LENGTH_REQUIRED, "Content-Length must be a whole number."
        if size > SIDE**2:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A drawing is {SIDE**2} bytes, no more."
        if len(body) != SIDE**2:
            return HTTPStatus.BAD_REQUEST, f"A drawing is {SIDE**2} bytes. Got {len(body)}."
        if not any(body):
            return HTTPStatus.BAD_REQUEST, "Nothing is drawn: every pixel is paper."
        return None

    def _send(self, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def end_headers(self) -> None:
        """Allow the page its own style and script, and to ask this server; nothing else."""
        allowed = f"style-src 'nonce-{self._nonce}'; script-src 'nonce-{self._nonce}'"
        allowed += "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
        policy = f"default-src 'none'; {allowed}; frame-ancestors 'none'"
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the terminal quiet."""
