"""The picture in CONTRIBUTING.md is the truth: imports point down its tables, and files stay small."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"losswise": ROOT / "losswise", "losswise_server": ROOT / "server"}
FRAMEWORKS = {"keras", "torch", "tensorflow", "jax", "pytorch_lightning", "lightning", "sklearn", "numpy", "flask"}


def modules(package: str) -> dict[str, Path]:
    """Dotted names below the package (the package itself by its own name) and their files."""
    folder = PACKAGES[package]
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if "migrations" in parts:
            continue
        name = ".".join(part for part in parts if part != "__init__")
        found[name or package] = path
    return found


def layers(package: str) -> dict[str, int]:
    """Each module's row in the table of CONTRIBUTING.md, counted from the top."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    table = text.split(f"<!-- layers: {package} -->\n")[1].split("\n\n")[0]
    rows = table.splitlines()[2:]
    return {name: number for number, row in enumerate(rows) for name in re.findall(r"`([^`]+)`", row)}


def at_run_time(tree: ast.AST) -> list[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING`."""
    found: list[ast.AST] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        found += [node, *at_run_time(node)]
    return found


def imports(package: str, name: str, path: Path) -> set[str]:
    """Absolute names of what a module imports at run time."""
    parts = [package, *([] if name == package else name.split("."))]
    base = parts if path.name == "__init__.py" else parts[:-1]
    found = set()
    for node in at_run_time(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = base[: len(base) - node.level + 1] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_is_on_the_map(package: str) -> None:
    assert set(layers(package)) == set(modules(package))


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_down(package: str) -> None:
    known, level = modules(package), layers(package)
    wrong = []
    for name, path in known.items():
        for imported in imports(package, name, path):
            target = imported.removeprefix(package + ".") if imported.startswith(package + ".") else None
            if target in known and target != name and level[target] < level[name]:
                wrong.append(f"{name} imports {target}")
    assert wrong == []


def test_the_client_knows_neither_server_nor_framework() -> None:
    for name, path in modules("losswise").items():
        roots = {imported.partition(".")[0] for imported in imports("losswise", name, path)}
        assert "losswise_server" not in roots
        if not name.startswith(("integrations.", "demo")):
            top = {
                imported
                for node in ast.parse(path.read_text()).body
                if isinstance(node, (ast.Import, ast.ImportFrom))
                for imported in [getattr(node, "module", None) or node.names[0].name]
            }
            assert not {imported.partition(".")[0] for imported in top} & FRAMEWORKS, name


def test_the_server_takes_little_of_the_client() -> None:
    allowed = {"losswise", "losswise.records", "losswise.folders", "losswise.login", "losswise.facts", "losswise.locks"}
    for name, path in modules("losswise_server").items():
        used = {
            imported
            for imported in imports("losswise_server", name, path)
            if imported.startswith("losswise.") and imported.count(".") == 1 and imported.split(".")[1].islower()
        }
        assert {entry for entry in used if entry.split(".")[1] in modules("losswise")} <= allowed, name


def test_no_file_is_long() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if path.suffix in (".py", ".js", ".css", ".html", ".jinja") and path.exists():
            assert len(path.read_text().splitlines()) <= 400, name
