"""The documentation as a site: complete, built without a warning, without broken links."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import mnist_models
from mnist_models import exceptions
from mnist_models.reproduction import read_claims

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def _text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_the_reference_lists_every_public_name() -> None:
    listed = set(re.findall(r"^   ([\w.]+)$|py:data:: (\w+)", _text("api.md"), re.MULTILINE))
    names = {one or other for one, other in listed}
    errors = {
        f"exceptions.{name}"
        for name, value in vars(exceptions).items()
        if getattr(value, "__module__", None) == exceptions.__name__
    }
    listed_errors = {name for name in names if name.startswith("exceptions.")}
    assert set(dir(mnist_models)) - {"__version__"} <= names
    assert errors == listed_errors


def test_no_page_has_the_name_of_one_that_sphinx_makes() -> None:
    """Sphinx writes its own last, without a warning: the page could not be read."""
    assert not {path.stem for path in DOCS.glob("*.md")} & {"search", "genindex", "py-modindex"}


def test_pictures_are_few_and_small() -> None:
    sizes = [path.stat().st_size for path in (DOCS / "images").iterdir()]
    assert len(sizes) <= 6
    assert max(sizes) < 150_000


def test_every_claim_of_the_original_report_is_on_its_page() -> None:
    headings = {"logistic": "Logistic regression", "forest": "Random forest", "network": "Network"}
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", _text("report.md"), re.S | re.M))
    for name, claims in read_claims()["models"].items():
        rows = {
            cells[0].strip(): [cell.split("/")[0].strip().replace(",", "") for cell in cells[1:]]
            for cells in (
                line.strip("|").split("|") for line in sections[headings[name]].splitlines()
            )
        }
        for row, figures in claims.get("report", {}).items():
            *shares, support = figures
            assert rows[row] == [*(f"{share:.2f}" for share in shares), str(support)]
        for what in ("cv", "test", "train", "validation"):
            if f"{what}_accuracy" in claims:
                claimed = claims[f"{what}_accuracy"]
                ends = sorted(set(claimed if isinstance(claimed, list) else [claimed]))
                cell = "–".join(f"{end:.2f}" for end in ends)  # noqa: RUF001  as in print
                assert rows[f"{what.replace('cv', 'CV')} accuracy"] == [cell]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    for needed in ("sphinx", "pydata_sphinx_theme", "myst_parser", "sphinx_gallery", "numpydoc"):
        pytest.importorskip(needed, reason="needs the extra 'docs'")
    folder = tmp_path_factory.mktemp("site")
    options = ["-W", "--keep-going", "-n", "-d", str(folder / "trees")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(DOCS), str(folder / "html")],
        capture_output=True,
        text=True,
        timeout=1800,
        env=os.environ | {"MPLBACKEND": "agg"},
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


class _Page(HTMLParser):
    """What a page can be linked at, and what it links to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors, self.links = set[str](), set[str]()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.anchors |= {found[name] or "" for name in ("id", "name") if name in found}
        if tag != "link" or found.get("rel") == "stylesheet":
            self.links |= {found[name] or "" for name in ("href", "src") if found.get(name)}


@pytest.mark.slow
def test_every_link_within_the_site_leads_somewhere(site: Path) -> None:
    written = (path for path in site.rglob("*.html") if "_static" not in path.parts)
    pages = {path: _Page(path) for path in written}
    assert len(pages) > 50
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].anchors if target in pages else set()
            if not target.exists() or (
                parts.fragment and target in pages and unquote(parts.fragment) not in anchors
            ):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


@pytest.mark.slow
def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    fetched = re.compile(r"<(?:script|img|link|iframe)\b[^>]*?(?:src|href)=\"(?:https?:)?//[^\"]*")
    for path in site.rglob("*.html"):
        assert fetched.findall(path.read_text(encoding="utf-8")) == [], path
