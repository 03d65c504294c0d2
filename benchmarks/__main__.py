"""Run every comparison and print one table; ``--quick`` is a smoke run."""

import argparse
import json
import platform
from collections.abc import Iterator
from importlib.metadata import version
from types import ModuleType

import psutil

from benchmarks import features, forest, growth, job, loading, logistic, network
from benchmarks.measure import Cost, Row, cost_of_command

_TOPICS: dict[str, ModuleType] = {
    "loading": loading,
    "features": features,
    "logistic": logistic,
    "forest": forest,
    "network": network,
    "growth": growth,
    "job": job,
}
_LIBRARIES = ("scikit-learn", "numpy", "numba", "tensorflow")


def main() -> None:
    """Measure, and print as it goes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="once each, on few rows")
    parser.add_argument("--only", choices=[*_TOPICS, "commands"], help="one topic")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there as well")
    options = parser.parse_args()
    topics = [options.only] if options.only else [*_TOPICS, "commands"]
    print(_machine(), end="\n\n")
    rows = list(_print_rows(topics, options.quick))
    costs = list(_print_costs(topics, options.quick))
    if options.json:
        found = {
            "machine": _machine(),
            "rows": [row._asdict() | {"ratio": row.ratio} for row in rows],
            "costs": [cost._asdict() for cost in costs],
        }
        with open(options.json, "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(found, file, indent=2)


def _machine() -> str:
    cores, memory = psutil.cpu_count(), psutil.virtual_memory().total / 2**30
    versions = [f"Python {platform.python_version()}", *(f"{n} {version(n)}" for n in _LIBRARIES)]
    return f"{cores} cores of {platform.machine()}, {memory:.0f} GiB, " + ", ".join(versions)


def _print_rows(topics: list[str], quick: bool) -> Iterator[Row]:
    print("| what | ours, s | theirs, s | theirs / ours | |\n| :--- | ---: | ---: | ---: | :--- |")
    for topic in topics:
        for row in getattr(_TOPICS.get(topic), "rows", _none)(quick):
            seconds = f"{row.ours:.4g} | {row.theirs:.4g} | {row.ratio:.2f}"
            print(f"| {row.what} | {seconds} | {row.note} |", flush=True)
            yield row


def _print_costs(topics: list[str], quick: bool) -> Iterator[Cost]:
    print("\n| what | seconds | peak memory, MB |\n| :--- | ---: | ---: |")
    for topic in topics:
        measure = _commands if topic == "commands" else getattr(_TOPICS[topic], "costs", _none)
        for cost in measure(quick):
            print(f"| {cost.what} | {cost.seconds:.2f} | {cost.peak_mb:.0f} |", flush=True)
            yield cost


def _commands(quick: bool) -> Iterator[Cost]:
    yield cost_of_command("version" if quick else "compare")


def _none(quick: bool) -> tuple[()]:
    return ()


if __name__ == "__main__":
    main()
