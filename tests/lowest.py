"""Print the oldest supported versions as a constraints file: `python -m tests.lowest > lowest.txt`.

Continuous integration installs with `pip install -c lowest.txt`, so that the lower bounds in pyproject.toml are tested.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("test-core", "test", "full", "bench")
"""Extras with what only the tests need, in its newest version."""

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


if __name__ == "__main__":
    for name, version in lowest_versions((ROOT / "pyproject.toml").read_text(encoding="utf-8")).items():
        print(f"{name}=={version}")
