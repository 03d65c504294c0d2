"""Fuzzing, guided by coverage, of what reads strangers' files: ``python -m tests.fuzz idx``.

Needs atheris, which is in the extra ``fuzz``. What is found stays in ``crash-*`` files where it was
started; a failing input goes into the tests, a telling one into ``corpus``.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mnist_models", "json"]):
    from tests.fuzz import idx, models

_TARGETS = {"idx": idx, "models": models}


def main() -> None:
    """Fuzz one of the readers for so many seconds."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=_TARGETS)
    parser.add_argument("--seconds", type=int, default=60, help="how long (default: 60)")
    options = parser.parse_args()
    target = _TARGETS[options.target]
    with tempfile.TemporaryDirectory() as found:  # what covers more is worth it for this run only
        corpus = Path(found, "corpus")
        corpus.mkdir()
        for number, seed in enumerate(target.seeds()):
            (corpus / f"seed{number}").write_bytes(seed)
        limits = [f"-max_total_time={options.seconds}", "-timeout=10", "-rss_limit_mb=2048"]
        target.prepare(Path(found))
        words = [sys.argv[0], *limits, "-print_final_stats=1", str(corpus)]
        atheris.Setup(words, target.run, custom_mutator=target.mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
