"""The source of packages in figures: ``python -m benchmarks.code_figures skrub pooch verde``.

Packages are read where they are installed and never imported. Folders named "tests" and what is
vendored ("externals") are left out. A function's length leaves out its docstring.
"""

import argparse
import ast
import io
import statistics
import tokenize
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_NOT_SOURCE = {"tests", "externals", "conftest.py"}


class Module(NamedTuple):
    """One file of a package: its dotted name, its text and what Python makes of it."""

    name: str
    text: str
    tree: ast.Module

    @property
    def functions(self) -> list[_Function]:
        return [node for node in ast.walk(self.tree) if isinstance(node, _Function)]


def main() -> None:
    """Print a table: a row for every figure, a column for every package."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.code_figures", description=__doc__)
    parser.add_argument(
        "packages", nargs="*", help="names of installed packages, with dots or without"
    )
    packages = ["mnist_models", *parser.parse_args().packages]
    columns = [figures(read(package)) for package in packages]
    rows = [["", *packages], ["---"] * (len(packages) + 1)]
    rows += [[figure, *[column[figure] for column in columns]] for figure in columns[0]]
    for row in rows:
        print(f"| {' | '.join(row)} |")


def read(package: str) -> list[Module]:
    """Every module of an installed package."""
    top, *below = package.split(".")
    spec = PathFinder.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"no package {top!r} is installed")
    root = Path(spec.submodule_search_locations[0])
    paths = sorted(root.joinpath(*below).rglob("*.py"))
    own = [path for path in paths if not _NOT_SOURCE & set(path.relative_to(root).parts)]
    return [_module(path, root.parent) for path in own]


def _module(path: Path, base: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    name = ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")
    return Module(name, text, ast.parse(text))


def figures(modules: list[Module]) -> dict[str, str]:
    """What there is to say of a package's source."""
    lines = [module.text.count("\n") for module in modules]
    lengths = sorted(_length(f) for module in modules for f in module.functions)
    public = [documented for module in modules for documented in _public(module.tree)]
    annotated = [known for module in modules for f in module.functions for known in _annotated(f)]
    n_code, n_comments = (sum(n) for n in zip(*map(_code_and_comments, modules), strict=True))
    cycles = _in_cycles(modules)
    return {
        "files / lines / of code": f"{len(modules)} / {sum(lines):,} / {n_code:,}",
        "lines of a file: median / most": f"{statistics.median(lines):.0f} / {max(lines):,}",
        "lines of a function: median / 90 % / most": (
            f"{statistics.median(lengths):.0f} / {lengths[len(lengths) * 9 // 10]} / {lengths[-1]}"
        ),
        "public names with a docstring": f"{sum(public)} of {len(public)}",
        "arguments with a type": f"{sum(annotated)} of {len(annotated)}",
        "comments in 100 lines of code": f"{100 * n_comments / n_code:.0f}",
        "modules in import cycles": str(len(cycles)),
    }


def _length(function: _Function) -> int:
    first = function.body[0]
    documentation = ast.get_docstring(function, clean=False)
    n_documentation = (first.end_lineno or 0) - first.lineno + 1 if documentation else 0
    return (function.end_lineno or 0) - function.lineno + 1 - n_documentation


def _public(tree: ast.Module) -> Iterator[bool]:
    """Whether each public class, function and method of a module has a docstring."""
    for node in tree.body:
        if isinstance(node, _Function | ast.ClassDef) and not node.name.startswith("_"):
            yield ast.get_docstring(node) is not None
            members = node.body if isinstance(node, ast.ClassDef) else []
            for member in members:
                if isinstance(member, _Function) and not member.name.startswith("_"):
                    yield ast.get_docstring(member) is not None


def _annotated(function: _Function) -> Iterator[bool]:
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    for argument in every:
        if argument is not None and argument.arg not in {"self", "cls"}:
            yield argument.annotation is not None


def _code_and_comments(module: Module) -> tuple[int, int]:
    """Lines that hold code (docstrings do not count), and lines that end in or are a comment."""
    code, comments = set(), set()
    silent = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type == tokenize.COMMENT:
            comments.add(token.start[0])
        elif token.type not in silent:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - _documentation(module.tree)), len(comments)


def _documentation(tree: ast.Module) -> set[int]:
    """The lines of docstrings and of strings that stand alone."""
    alone = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    return {n for node in alone for n in range(node.lineno, (node.end_lineno or 0) + 1)}


def _in_cycles(modules: list[Module]) -> set[str]:
    """The modules that, by imports outside of functions, come to import themselves."""
    names = {module.name for module in modules}
    arrows = {module.name: _imported(module, names) for module in modules}
    for middle in names:  # Warshall's closure: what can be reached by way of each in turn
        for start in names:
            if middle in arrows[start]:
                arrows[start] |= arrows[middle]
    return {name for name in names if name in arrows[name]}


def _imported(module: Module, names: set[str]) -> set[str]:
    found = set()
    is_package = any(name.startswith(f"{module.name}.") for name in names)
    package = module.name.split(".") if is_package else module.name.split(".")[:-1]
    for node in _outside_functions(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            whole = {f"{source}.{alias.name}" for alias in node.names}
            found |= whole & names or {source}
    return found & names - {module.name}


def _outside_functions(node: ast.AST) -> Iterator[ast.stmt]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.stmt) and not isinstance(child, _Function):
            yield child
            yield from _outside_functions(child)


if __name__ == "__main__":
    main()
