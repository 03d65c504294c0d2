"""Run every block of Python on a page, in order, in one namespace, without a network.

``python -W error -m tests.run_page PAGE [CODE]``: CODE runs last, in the same namespace.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# A block under such a comment is compiled only.
_BLOCK = re.compile(r"(<!-- not run: .*? -->\n)?^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def python_blocks(page: Path) -> Iterator[tuple[str, bool]]:
    """The code of each block, at the line where the page has it, and whether it is to be run."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        lines_before = text[: found.start(2)].count("\n")
        yield "\n" * lines_before + found.group(2), found.group(1) is None


def run(page: Path, last: str = "") -> None:
    """Run the blocks, then ``last``."""
    sys.addaudithook(_refuse_strangers)
    names: dict[str, Any] = {}
    for code, wanted in python_blocks(page):
        compiled = compile(code, str(page), "exec")
        if wanted:
            exec(compiled, names)
    exec(last, names)


def _refuse_strangers(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"nothing on this page should connect to {address}")


if __name__ == "__main__":
    run(Path(sys.argv[1]), *sys.argv[2:])
