"""What is published: built alike wherever and whenever, nothing too much, nothing missing."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from datetime import date
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import mnist_models

ROOT = Path(mnist_models.__file__).parents[1]
VERSION = mnist_models.__version__

_BUILD = "import sys, hatchling.build as b; print(getattr(b, 'build_' + sys.argv[1])(sys.argv[2]))"


def _build(what: str, source: Path, into: Path) -> Path:
    """A wheel or an sdist of a folder, built in a process of its own, as installers do."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _BUILD, what, str(into)],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return into / done.stdout.strip()


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of this checkout."""
    return _build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return _build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def unpacked(sdist: Path, tmp_path: Path) -> Path:
    """The sdist's folder, as somebody has it who downloads it."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / f"mnist_models-{VERSION}"


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"mnist_models-{VERSION}.dist-info/METADATA").decode()
    return Parser().parsestr(text)


def test_builds_are_alike_to_the_byte(
    sdist: Path, wheel: Path, unpacked: Path, tmp_path: Path
) -> None:
    for path in unpacked.rglob("*"):  # another machine: times, permissions, what a run leaves
        os.utime(path, (1e9, 1e9))
        path.chmod(0o700 if path.is_dir() else 0o600)
    cache = unpacked / "mnist_models" / "__pycache__"
    cache.mkdir()
    (cache / "_hog_kernels.orient-1.py311.nbi").write_bytes(b"kept by numba")
    assert _build("wheel", unpacked, tmp_path).read_bytes() == wheel.read_bytes()
    assert _build("sdist", unpacked, tmp_path).read_bytes() == sdist.read_bytes()


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = Path(mnist_models.__file__).parent
    files = {path.relative_to(ROOT).as_posix() for path in package.rglob("*") if path.is_file()}
    assert names == {name for name in files if "__pycache__" not in name}
    assert {Path(name).suffix for name in names} == {
        ".py",
        ".typed",
        ".json",
        ".html",
        ".css",
        ".js",
    }


def test_the_version_has_one_place(wheel: Path, sdist: Path, unpacked: Path) -> None:
    assert _metadata(wheel)["Version"] == VERSION
    assert wheel.name == f"mnist_models-{VERSION}-py3-none-any.whl"
    assert sdist.name == f"mnist_models-{VERSION}.tar.gz"
    settings = [path for path in unpacked.rglob("*") if path.suffix in {".py", ".toml", ".cff"}]
    says = [path.name for path in settings if f'"{VERSION}"' in path.read_text(encoding="utf-8")]
    assert says == ["__init__.py"]


def test_the_description_leads_nowhere_that_does_not_exist(wheel: Path) -> None:
    description = str(_metadata(wheel).get_payload())
    assert description.startswith("# mnist_models\n")
    assert "GridSearchCV(make_model(" in description
    for address in re.findall(r"\]\(([^)]+)\)", description):
        assert address.startswith("https://"), address


def test_an_address_makes_urls_and_links_to_the_files_of_the_release(
    unpacked: Path, tmp_path: Path
) -> None:
    settings = unpacked / "pyproject.toml"
    before = settings.read_text(encoding="utf-8")
    address = 'repository = "https://example.org/us/digits/"'
    settings.write_text(re.sub("^repository = .*$", address, before, flags=re.M), encoding="utf-8")
    (unpacked / "PKG-INFO").unlink()  # what the sdist's build found out already
    metadata = _metadata(_build("wheel", unpacked, tmp_path))
    assert "Source, https://example.org/us/digits" in metadata.get_all("Project-URL", [])
    description = str(metadata.get_payload())
    at = "https://example.org/us/digits/{}/v" + VERSION
    assert f"[Security]({at.format('blob')}/docs/security.md)" in description
    assert f"]({at.format('raw')}/docs/images/page.png)" in description


def test_the_changelog_has_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (.+)", heading) for heading in headings[1:]]
    days = [date.fromisoformat(match[2]) for match in released if match]
    assert len(days) == len(headings) - 1
    assert days == sorted(days, reverse=True)
    if ".dev" not in VERSION:
        assert f"[{VERSION}]" in headings[1]
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, flags=re.MULTILINE)) <= kinds


def test_the_pages_link_to_files_that_are_published(unpacked: Path) -> None:
    for page in unpacked.glob("*.md"):
        for link in re.findall(r"\]\((?!https:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (unpacked / link).is_file(), f"{page.name}: {link}"
