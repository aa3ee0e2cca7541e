"""The oldest supported versions: `python -m tests.lowest > lowest.txt` prints them as a constraints file.

`make test-lowest` and continuous integration install with `pip install -c lowest.txt`, so that the lower bounds in
pyproject.toml are tested. `python -m tests.lowest --run` runs the tests that concern the dependencies.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("test-core", "test", "full", "bench")
"""Extras with what only the tests need, in its newest version."""

CONCERNED = ("tests/client", "tests/server", "tests/system", "tests/conformance", "tests/integrations")
"""Tests that concern the dependencies."""

# tomllib came with Python 3.11, and the lower bounds are tested on 3.10
_LIST = re.compile(r"^([\w-]+) = \[(.*?)\]$", re.MULTILINE | re.DOTALL)
_BOUND = re.compile(r'"([\w.-]+)(?:\[[\w,-]+\])?>=([\d.]+)')


def lowest_versions(pyproject: str) -> dict[str, str]:
    """Return the lower bound of each package that pyproject.toml names, the highest where there are several."""
    project = pyproject[pyproject.index("[project]") : pyproject.index("[project.scripts]")]
    found: dict[str, str] = {}
    for extra, packages in _LIST.findall(project):
        for name, version in _BOUND.findall(packages if extra not in TOOLS else ""):
            found[name] = max(found.get(name, version), version, key=_parts)
    return found


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def run_tests() -> int:
    """Run the tests that concern the dependencies. Returns the exit status."""
    wanted = lowest_versions((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    installed = {name: importlib.metadata.version(name) for name in wanted}
    print(", ".join(f"{name} {version}" for name, version in installed.items()), flush=True)
    words = ["--numprocesses=4", "--dist=loadscope", "-m", "not full", *CONCERNED]
    environ = {"KERAS_BACKEND": "torch", **os.environ}
    return subprocess.run([sys.executable, "-m", "pytest", *words], cwd=ROOT, env=environ, check=False).returncode


if __name__ == "__main__":
    if "--run" in sys.argv[1:]:
        raise SystemExit(run_tests())
    for name, version in lowest_versions((ROOT / "pyproject.toml").read_text(encoding="utf-8")).items():
        print(f"{name}=={version}")
