"""Every task by one name, as ``nox -s lint``; ``nox -l`` lists them. .ci/run calls the same ones.

A task runs in the environment that nox itself is in: with TensorFlow in it, one is enough.
CONTRIBUTING.md says how to make it.
"""

import filecmp
import sys
import tempfile
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "tests"]


def _python(session: nox.Session, *arguments: str) -> None:
    session.run(sys.executable, *arguments)


def _module(session: nox.Session, name: str, *arguments: str) -> None:
    _python(session, "-m", name, *arguments)


@nox.session
def tests(session: nox.Session) -> None:
    """The tests, but for the slow ones. What follows ``--`` is pytest's."""
    _module(session, "pytest", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """The slow tests."""
    _module(session, "pytest", "--slow", "-m", "slow", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, form and types."""
    _module(session, "ruff", "check", ".")
    _module(session, "ruff", "format", "--check", ".")
    _module(session, "mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, with warnings as errors, into docs/_build/html."""
    _module(session, "sphinx", "-W", "--keep-going", "-n", "docs", "docs/_build/html")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """All that is measured; two minutes with ``-- --quick``. Needs the extra "bench"."""
    _module(session, "benchmarks", *session.posargs)
    _module(session, "benchmarks.tuning", *session.posargs)
    _module(session, "benchmarks.accuracy", *session.posargs)
    _module(session, "benchmarks.robust", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """All readers of files from anywhere, half a minute each."""
    for reader in ("idx", "csv", "models"):
        _module(session, "tests.fuzz", reader, *(session.posargs or ["--seconds", "30"]))


@nox.session
def oldest(session: nox.Session) -> None:
    """The tests with the oldest versions allowed; with ``-- --quick`` the most telling ones."""
    session.run(".ci/oldest", *session.posargs, external=True)


@nox.session
def vulnerabilities(session: nox.Session) -> None:
    """Known vulnerabilities of the newest and oldest versions allowed. Needs a network."""
    session.run(".ci/vulnerabilities", external=True)


@nox.session
def build(session: nox.Session) -> None:
    """Wheel and sdist into dist, or the folder after ``--``; built twice, the same to the byte."""
    (folder,) = map(Path, session.posargs or ["dist"])
    with tempfile.TemporaryDirectory() as second:
        for place in (str(folder), second):
            _module(session, "build", "--outdir", place)
        names = [path.name for path in Path(second).iterdir()]
        if filecmp.cmpfiles(folder, second, names, shallow=False)[0] != names:
            session.error(f"Two builds of {names} differ.")
    _module(session, "twine", "check", "--strict", *(str(folder / name) for name in names))


@nox.session
def install_paths(session: nox.Session) -> None:
    """Ways to install and places to run, as a new user has them, in environments of their own."""
    session.run(".ci/install_paths", *session.posargs, external=True)


@nox.session
def audit(session: nox.Session) -> None:
    """Check that the workflows are well formed and safe. Needs the extra "release"."""
    workflows = [str(path) for path in sorted(Path(".github/workflows").glob("*.yml"))]
    _module(session, "check_jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    _module(
        session,
        "check_jsonschema",
        "--builtin-schema",
        "vendor.dependabot",
        ".github/dependabot.yml",
    )
    zizmor = Path(sys.executable).with_name("zizmor")  # which is no Python module
    session.run(str(zizmor), "--offline", "--pedantic", ".github", external=True)
