"""New Python environments, with nothing but what a test installs."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path


def programs_of(folder: Path) -> Path:
    """Return an environment's folder of programs."""
    return folder / ("Scripts" if os.name == "nt" else "bin")


def pip(folder: Path, *words: str) -> str:
    """Run this process's pip for an environment, which needs none of its own; return what it printed."""
    python = str(programs_of(folder) / "python")
    every = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, *words]
    return subprocess.run(every, check=True, timeout=300, stdout=subprocess.PIPE, text=True).stdout


def new_environment(folder: Path, *packages: str) -> Path:
    """Create an environment with these packages; return its folder of programs."""
    venv.create(folder, clear=True)
    pip(folder, "install", "--quiet", "--no-compile", *packages)
    return programs_of(folder)
