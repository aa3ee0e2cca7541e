"""The packages and who may import whom: imports point down these tables, and files stay small.

docs/developing/architecture.md explains the packages. A top-level module counts as a package of its own.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"losswise": ROOT / "losswise", "losswise_server": ROOT / "server"}
SCRIPTS = ROOT / "server" / "static" / "js"

# Top to bottom: a module imports from its own package and from lower rows. `.` is the package's own __init__.
ROWS = {
    "losswise": """
        __main__
        cli
        commands demo
        libs
        integrations
        .
        session
        session_display session_training
        lifecycle capture notebook
        graph image_sequence params arguments
        recording
        naming
        delivery
        journal
        settings values
        protocol
        util
    """,
    "losswise_server": """
        cli
        setup
        .
        api pages
        middleware
        ingest edits export maintenance
        live
        sessions
        query
        points
        accounts
        config
        db
        extensions exceptions static_files
    """,
}
SCRIPT_ROWS = """
    project pages
    table charts
    rows
    data
    ui
"""
SHARED_WITH_THE_SERVER = {
    ".",
    "protocol",
    "util.credentials",
    "util.locks",
    "util.paths",
    "util.redact",
}
"""What the server may import of the client."""
FRAMEWORKS = {"keras", "torch", "tensorflow", "jax", "pytorch_lightning", "lightning", "sklearn", "numpy", "flask"}
LAZY = ("losswise.notebook", "losswise.values.pixels", "losswise.values.png", "losswise.capture.system")
"""What `import losswise.session` must not load: a plain loop does not need it."""


def parse_rows(table: str) -> dict[str, int]:
    """The number of each package's row, counted from the top."""
    return {name: number for number, row in enumerate(table.strip().splitlines()) for name in row.split()}


@functools.cache
def modules(package: str) -> dict[str, Path]:
    """Dotted module names below the package ("." for its own __init__) and their files."""
    folder = FOLDERS[package]
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if not {"migrations", "frontend"} & set(parts):
            found[".".join(part for part in parts if part != "__init__") or "."] = path
    return found


def package_of(module: str) -> str:
    return module.split(".")[0] or "."


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(package: str, name: str, path: Path) -> Iterator[tuple[str, str | None]]:
    """(absolute module, imported name or None) of every import in a file, those for type checking included."""
    parts = [package, *([] if name == "." else name.split("."))]
    base = parts if path.name == "__init__.py" else parts[:-1]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = base[: len(base) - node.level + 1] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            yield from ((module, alias.name) for alias in node.names)


def imported_modules(package: str, name: str, path: Path, of: str) -> set[str]:
    """Names of the modules of package `of` that a file imports, "." for its own __init__."""
    known = modules(of)
    found = set()
    for module, symbol in imports(package, name, path):
        if module != of and not module.startswith(of + "."):
            continue
        inner = module.removeprefix(of).lstrip(".")
        submodule = f"{inner}.{symbol}".lstrip(".") if symbol else inner
        found.add(submodule if submodule in known else inner or ".")
    return found


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of more than one node (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(arrows.get(node, ())):
            if target not in index:
                visit(target)
            if target in stack:
                low[node] = min(low[node], low[target])
        if low[node] == index[node]:
            members = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(members) > 1:
                found.append(sorted(members))

    for node in sorted(arrows):
        if node not in index:
            visit(node)
    return found


@pytest.mark.parametrize("package", FOLDERS)
def test_every_package_has_a_row(package: str) -> None:
    assert {package_of(name) for name in modules(package)} == set(parse_rows(ROWS[package]))


@pytest.mark.parametrize("package", FOLDERS)
def test_imports_point_down(package: str) -> None:
    row = parse_rows(ROWS[package])
    wrong = []
    for name, path in modules(package).items():
        for target in imported_modules(package, name, path, package):
            here, there = package_of(name), package_of(target)
            if here != there and row[there] <= row[here]:
                wrong.append(f"{name} imports {target}")
    assert sorted(wrong) == []


@pytest.mark.parametrize("package", FOLDERS)
def test_no_circle_of_modules(package: str) -> None:
    arrows = {
        name: imported_modules(package, name, path, package) - {name, "."} for name, path in modules(package).items()
    }
    assert circles(arrows) == []


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def defined_attributes(tree: ast.AST) -> set[str]:
    """Names with one leading underscore that a file defines: functions, classes, variables, attributes, slots."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node):
            found.add(node.attr)
    return {name for name in found if is_private(name)}


def is_own(node: ast.Attribute) -> bool:
    """Whether it is an attribute of `self` or `cls`."""
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@pytest.mark.parametrize("package", FOLDERS)
def test_no_package_reaches_into_private_attributes_of_another(package: str) -> None:
    trees = {name: parsed(path) for name, path in modules(package).items()}
    owners = defaultdict(set)
    for name, tree in trees.items():
        for attribute in defined_attributes(tree):
            owners[attribute].add(package_of(name))
    wrong = []
    for name, tree in trees.items():
        here = package_of(name)
        for node in ast.walk(tree):
            used: list[str] = []
            if isinstance(node, ast.Attribute) and not is_own(node):
                used = [node.attr]
            elif isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith(package)):
                used = [alias.name for alias in node.names]
            for attribute in used:
                if is_private(attribute) and owners[attribute] and here not in owners[attribute]:
                    line = getattr(node, "lineno", 0)
                    wrong.append(f"{name}:{line} uses {attribute} of {', '.join(sorted(owners[attribute]))}")
    assert sorted(wrong) == []


def test_the_client_knows_neither_server_nor_framework() -> None:
    for name, path in modules("losswise").items():
        assert not any(module.startswith("losswise_server") for module, _ in imports("losswise", name, path))
        if not name.startswith(("integrations.", "demo")):
            top = {
                imported
                for node in parsed(path).body
                if isinstance(node, (ast.Import, ast.ImportFrom))
                for imported in [getattr(node, "module", None) or node.names[0].name]
            }
            assert not {imported.partition(".")[0] for imported in top} & FRAMEWORKS, name


def test_the_server_takes_little_of_the_client() -> None:
    for name, path in modules("losswise_server").items():
        used = imported_modules("losswise_server", name, path, "losswise")
        assert {
            module for module in used if module not in SHARED_WITH_THE_SERVER and package_of(module) != "protocol"
        } == set(), name


def test_a_session_loads_no_more_than_it_needs() -> None:
    code = f"import sys, losswise.session; print([name for name in sys.modules if name.startswith({LAZY!r})])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def script_imports(path: Path) -> list[str]:
    return re.findall(r"^import[^;]*?'(\.[^']+)'", path.read_text(), re.MULTILINE | re.DOTALL)


def test_scripts_import_downwards_without_circles() -> None:
    row = parse_rows(SCRIPT_ROWS)
    arrows: dict[str, set[str]] = defaultdict(set)
    wrong = []
    for path in sorted(SCRIPTS.rglob("*.js")):
        here = path.relative_to(SCRIPTS)
        for reference in script_imports(path):
            there = (path.parent / reference).resolve().relative_to(SCRIPTS)
            arrows[str(here)].add(str(there))
            if here.parts[0] != there.parts[0] and row[there.parts[0]] <= row[here.parts[0]]:
                wrong.append(f"{here} imports {there}")
    assert arrows
    assert wrong == []
    assert circles(arrows) == []


def test_no_script_is_long() -> None:
    for path in SCRIPTS.rglob("*.js"):
        assert len(path.read_text().splitlines()) <= 300, f"{path.relative_to(SCRIPTS)}: split it by subject"


def test_no_file_is_long() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if path.suffix in (".py", ".js", ".css", ".html", ".jinja") and path.exists():
            assert len(path.read_text().splitlines()) <= 400, f"{name}: split it by subject"
