"""``mnist-models draw``: its server asked by anyone, and its page drawn on in headless Chromium."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from mnist_models import MODEL_NAMES, load_model, load_sample_digits, make_model, save_model
from mnist_models.drawing import SIDE, DrawingServer
from mnist_models.pictures import lay_into_frame

from .chromium import (
    CONTRAST,
    SEEN,
    Browser,
    ask,
    click,
    emulate,
    end_emulation,
    fetched_since,
    press,
    text_of,
)
from .commands import run_command
from .pages import HOSTILE

Capture = pytest.CaptureFixture[str]
Stroke: TypeAlias = list[tuple[float, float]]

SEVEN: list[Stroke] = [[(0.3, 0.2), (0.7, 0.2), (0.55, 0.5), (0.45, 0.85)]]
FOUR: list[Stroke] = [[(0.4, 0.15), (0.3, 0.5), (0.7, 0.5)], [(0.62, 0.2), (0.6, 0.85)]]


class Reader:
    """A model of three classes that reads whatever it is shown as its last, when it may."""

    n_features_in_ = 784

    def __init__(self, classes: tuple[str, ...] = ("a", "b", "c")) -> None:
        self.classes_ = np.array(classes)
        self.may_answer = threading.Event()
        self.may_answer.set()

    def predict_proba(self, X: NDArray[Any]) -> NDArray[Any]:
        assert self.may_answer.wait(60)
        shares = np.arange(1.0, len(self.classes_) + 1)
        return np.tile(shares / shares.sum(), (len(X), 1))


@contextmanager
def serving(models: dict[str, Any]) -> Iterator[DrawingServer]:
    """The server at work; in the end no thread is left."""
    before = set(threading.enumerate())
    with DrawingServer() as server:
        server.use(models)
        yield server
    assert set(threading.enumerate()) == before


@pytest.fixture
def server(capsys: Capture) -> Iterator[DrawingServer]:
    """A server with nothing to say on a terminal, whatever it is asked."""
    with serving({"reader": Reader()}) as running:
        yield running
    assert capsys.readouterr() == ("", "")


def send(
    server: DrawingServer,
    method: str = "POST",
    path: str = "/answer",
    body: bytes | None = b"\x01" * SIDE**2,
    **headers: str | None,
) -> tuple[int, dict[str, str], str]:
    """Status, headers and text of what is answered; a header that is None is not sent."""
    host = server.hosts[0]
    sent = {"Host": host, "Origin": f"http://{host}", "Content_Type": "application/octet-stream"}
    connection = HTTPConnection(host, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    length = None if body is None else str(len(body))
    for name, value in (sent | {"Content_Length": length} | headers).items():
        if value is not None:
            connection.putheader(name.replace("_", "-"), value)
    connection.endheaders(body)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, dict(response.getheaders()), text


# -- what the server answers -----------------------------------------------------------------------


def test_a_drawing_is_framed_and_read_as_pictures_are(model_file: Path) -> None:
    model = load_model(model_file)
    image = load_sample_digits().images[5]
    drawing = np.kron(image, np.ones((SIDE // 28, SIDE // 28), dtype=np.uint8))
    with serving({"forest": model, "reader": Reader()}) as server:
        status, _, text = send(server, body=drawing.tobytes())
    assert status == 200
    answer = json.loads(text)
    seen = lay_into_frame(drawing).reshape(1, -1)
    assert answer["image"] == seen[0].tolist()
    forest, reader = answer["models"]
    assert (forest["name"], forest["label"]) == ("forest", str(model.predict(seen)[0]))
    assert list(forest["probabilities"]) == [str(digit) for digit in range(10)]
    assert list(forest["probabilities"].values()) == model.predict_proba(seen)[0].tolist()
    assert reader["label"] == "c"


def test_the_page_runs_its_own_script_and_no_name() -> None:
    with serving({name: Reader(HOSTILE) for name in HOSTILE}) as server:
        answers = [send(server, "GET", "/", None, Host=name) for name in server.hosts]
    nonces = set()
    for status, headers, page in answers:
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        (nonce,) = set(re.findall(r"'nonce-(.*?)'", policy))
        assert re.findall(r"<(?:script|style)\b.*", page) == [
            f'<style nonce="{nonce}">',
            f'<script nonce="{nonce}">',
        ]
        assert re.findall(r"<[^>]*(?:src|href)=", page) == ['<link rel="icon" href=']
        nonces.add(nonce)
    assert len(nonces) == 2


@pytest.mark.parametrize(
    ("status", "said", "changes"),
    [
        (403, "This page is at http://127.0.0.1:", {"Host": "evil.example"}),
        (403, "This page is at", {"method": "GET", "path": "/", "Host": "evil.example:80"}),
        (403, "This page is at", {"Host": None}),
        (403, "Only the page at http://127.0.0.1:", {"Origin": "http://evil.example"}),
        (403, "Only the page at", {"Origin": "null"}),
        (403, "Only the page at", {"Origin": None}),
        (404, "only one page here", {"path": "/../cli.py"}),
        (404, "only one page here", {"path": "http://evil.example/answer"}),
        (404, "only one page here", {"method": "GET", "path": "/page.css?x"}),
        (405, "/answer takes POST only", {"method": "GET"}),
        (405, "/ takes GET only", {"path": "/"}),
        (405, "/answer takes POST only", {"method": "DELETE"}),
        (501, "does not support", {"method": "OPTIONS"}),
        (415, "application/octet-stream", {"Content_Type": "text/plain"}),
        (415, "application/octet-stream", {"Content_Type": None}),
        (411, "Content-Length", {"body": None}),
        (411, "Content-Length", {"body": None, "Content_Length": "-1"}),
        (411, "Content-Length", {"body": None, "Content_Length": "1" * 5000}),
        (411, "Content-Length", {"body": None, "Transfer_Encoding": "chunked"}),
        (413, "78400 bytes, no more", {"body": None, "Content_Length": "78401"}),
        (413, "78400 bytes, no more", {"body": None, "Content_Length": "999999999"}),
        (400, "A drawing is 78400 bytes. Got 100.", {"body": b"\x01" * 100}),
        (400, "Got 0.", {"body": b""}),
        (400, "Nothing is drawn", {"body": bytes(SIDE**2)}),
    ],
)
def test_anything_else_is_refused_in_a_sentence(
    server: DrawingServer, status: int, said: str, changes: dict[str, Any]
) -> None:
    got, headers, text = send(server, **changes)
    assert got == status, text
    assert said in text
    assert text.count("\n") == 1
    assert headers["Content-Type"].startswith("text/plain")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert send(server)[0] == 200  # and goes on


@pytest.mark.parametrize(
    "sent", [b"", b"POST /ans", b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\n" * 200]
)
def test_nonsense_and_browsers_that_leave_harm_nobody(server: DrawingServer, sent: bytes) -> None:
    address = ("127.0.0.1", server.server_port)
    head = f"POST /answer HTTP/1.1\r\nHost: {server.hosts[0]}\r\nContent-Length: 78400\r\n\r\n"
    with (
        socket.create_connection(address) as silent,
        socket.create_connection(address) as cut,
        socket.create_connection(address) as gone,
    ):
        silent.sendall(sent)
        cut.sendall(head.encode() + bytes(1000))
        cut.shutdown(socket.SHUT_WR)
        gone.sendall(head.encode() + bytes(SIDE**2))
        # closed by a reset, before the answer
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
        gone.close()
        assert send(server)[0] == 200
        assert b" 403 " in cut.recv(1000)


# -- the command -----------------------------------------------------------------------------------


def test_models_and_ports_that_cannot_be_used_are_one_line(
    capsys: Capture, model_file: Path, each_kind: list[tuple[Any, Path]], tmp_path: Path
) -> None:
    def refusal(*words: Any) -> str:
        code, out, err = run_command(capsys, "draw", "--no-browser", *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        return err

    digits = load_sample_digits()
    faint = make_model("forest", n_estimators=2).fit(digits.data / 255, digits.target)
    save_model(faint, tmp_path / "faint.model")
    assert "Drawings have pixels from 0 to 255. " in refusal(tmp_path / "faint.model")
    small = each_kind[0][1]
    assert "square pictures of one size" in refusal(model_file, small)
    assert "No such file" in refusal("no.model")
    assert "--data, --recipe and --seed are for models" in refusal(model_file, "--data", "mnist")
    assert "from 1 to 65535" in refusal("--port", "0")
    assert "from 1 to 65535" in refusal("--port", "65536")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port}: Address already in use: give another" in refusal("--port", port)


@contextmanager
def _command(*words: Any) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command at work, and the address that it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mnist_models", "draw", "--no-browser", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.fullmatch(r"Draw at (http://127\.0\.0\.1:\d+/) and end with Ctrl-C\.\n", line)
        assert found, (line, process.communicate())
        yield process, found[1]
    finally:
        process.kill()
        process.communicate()


def test_ctrl_c_ends_it_quietly_even_while_a_browser_is_connected(model_file: Path) -> None:
    with _command(model_file) as (process, address):
        port = int(address.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)):
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (130, "", "mnist-models: interrupted\n")


@pytest.mark.slow
def test_without_model_files_the_three_are_fitted_first(idx_folder: Path) -> None:
    with _command("--data", idx_folder, "--recipe", "classic") as (process, address):
        connection = HTTPConnection(address.removeprefix("http://").rstrip("/"))
        connection.request("GET", "/")
        page = connection.getresponse().read().decode()
        assert re.findall("<h2>(.*)</h2>", page) == list(MODEL_NAMES)
        connection.close()
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "mnist-models: interrupted\n")


# -- the page in a browser -------------------------------------------------------------------------

Open: TypeAlias = Callable[[DrawingServer], Browser]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Open the page, and see in the end that it had no complaint and asked nobody else."""
    address = ""

    def show(server: DrawingServer) -> Browser:
        nonlocal address
        address = server.address
        browser.get(address)
        return browser

    browser.get("about:blank")
    fetched_since(browser)
    yield show
    assert browser.get_log("browser") == []
    assert {url for url in fetched_since(browser) if not url.startswith(("data:", "about:"))} <= {
        address,
        f"{address}answer",
    }
    browser.get("about:blank")
    end_emulation(browser)


def draw(browser: Browser, strokes: list[Stroke], pointer: str = "mouse") -> None:
    """Draw on the sheet, whose sides are 1."""
    script = """
        const sheet = document.querySelector('#sheet');
        sheet.scrollIntoView({block: 'center'});
        const {left, top, width} = sheet.getBoundingClientRect();
        return [left, top, width];
    """
    left, top, width = ask(browser, script)
    actions = ActionBuilder(browser, mouse=PointerInput(pointer, pointer), duration=10)
    for stroke in strokes:
        for number, (x, y) in enumerate(stroke):
            actions.pointer_action.move_to_location(int(left + x * width), int(top + y * width))
            if number == 0:
                actions.pointer_action.pointer_down()
        actions.pointer_action.pointer_up()
    actions.perform()


def told(browser: Browser, words: str) -> None:
    WebDriverWait(browser, 20).until(lambda _: words in text_of(browser, "#status"), words)


def seen(browser: Browser) -> list[int]:
    """The picture that the page shows as the one that the models see."""
    script = """
        const copy = new OffscreenCanvas(28, 28).getContext('2d', {willReadFrequently: true});
        copy.drawImage(document.querySelector('#seen'), 0, 0);
        const picture = copy.getImageData(0, 0, 28, 28);
        return [...picture.data.filter((_, place) => place % 4 === 3)]
    """
    return list(ask(browser, script))


@pytest.mark.slow
@pytest.mark.parametrize("pointer", ["mouse", "touch", "pen"])
def test_a_digit_is_read_after_every_stroke(opened: Open, model_file: Path, pointer: str) -> None:
    with serving({"forest.model": load_model(model_file), "reader": Reader()}) as server:
        browser = opened(server)
        emulate(browser, width=390 if pointer == "touch" else 1400)
        assert text_of(browser, "#status") == "Nothing is drawn yet."
        assert [ask(browser, SEEN, "button:disabled")[n].text for n in (0, 1)] == ["Undo", "Clear"]
        draw(browser, SEVEN, pointer)
        told(browser, "forest.model reads 7 (")
        told(browser, "reader reads c (50 %).")
        assert ask(browser, "return scrollY") == 0 or pointer != "touch"  # the finger draws
        rows = ask(browser, "return [...document.querySelectorAll('.best')].map(e => e.innerText)")
        assert [row.split()[0] for row in rows] == ["7", "c"]
        bars = ask(browser, SEEN, "#models > li:last-child i")
        widths = [bar.size["width"] for bar in bars]
        assert widths == pytest.approx([widths[2] / 3, widths[2] * 2 / 3, widths[2]], abs=1)
        one = seen(browser)
        assert max(one) > 200
        draw(browser, [[(0.35, 0.55), (0.65, 0.55)]], pointer)
        WebDriverWait(browser, 20).until(lambda _: seen(browser) != one)
        click(browser, "#undo")
        WebDriverWait(browser, 20).until(lambda _: seen(browser) == one)
        click(browser, "#clear")
        told(browser, "Nothing is drawn yet.")
        assert sum(seen(browser)) == 0
        assert ask(browser, "return document.querySelectorAll('.best').length") == 0


@pytest.mark.slow
def test_a_digit_drawn_with_keys(opened: Open, model_file: Path) -> None:
    with serving({"forest": load_model(model_file)}) as server:
        browser = opened(server)
        press(browser, Keys.TAB)
        assert ask(browser, "return document.activeElement.id") == "sheet"
        press(browser, *[Keys.ARROW_UP] * 8, " ", *[Keys.ARROW_DOWN] * 16, " ")
        told(browser, "forest reads 1 (")
        press(browser, Keys.TAB, Keys.TAB, Keys.ENTER)
        told(browser, "Nothing is drawn yet.")
        assert ask(browser, "return document.activeElement.id") == "sheet"


@pytest.mark.slow
def test_one_request_at_a_time_and_the_last_stroke_is_answered(opened: Open) -> None:
    reader = Reader()
    with serving({"reader": reader}) as server:
        browser = opened(server)
        reader.may_answer.clear()
        for stroke in (SEVEN, FOUR, SEVEN):
            draw(browser, stroke)
        assert [url for url in fetched_since(browser) if "answer" in url] == [
            f"{server.address}answer"
        ]
        reader.may_answer.set()
        told(browser, "reader reads c (50 %).")
        assert len([url for url in fetched_since(browser) if "answer" in url]) == 1
        all_strokes = seen(browser)
        click(browser, "#clear")
        draw(browser, [*SEVEN, *FOUR, *SEVEN])
        WebDriverWait(browser, 20).until(lambda _: seen(browser) == all_strokes)


@pytest.mark.slow
def test_it_says_when_the_command_has_ended(browser: Browser) -> None:
    with serving({"reader": Reader()}) as server:
        browser.get(server.address)
    draw(browser, SEVEN)
    told(browser, "No answer came: start “mnist-models draw” again")
    browser.get_log("browser")


@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_and_fits(opened: Open, width: int, scheme: str) -> None:
    names = tuple(f"{'very long ' * number}class {number}" for number in range(30))
    with serving({"a": Reader(), "b" * 60: Reader(names), "c": Reader(HOSTILE)}) as server:
        browser = opened(server)
        emulate(browser, width=width, scheme=scheme)
        for words in ("Nothing", "a reads c"):
            told(browser, words)
            assert ask(browser, "return document.documentElement.scrollWidth") <= width
            checked, poor = ask(browser, CONTRAST)
            assert poor == []
            assert checked > 40
            draw(browser, FOUR)
