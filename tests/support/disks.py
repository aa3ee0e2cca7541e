"""A small disk that a test can fill: a tmpfs, where this user may mount one."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(mebibytes: int) -> Iterator[Path]:
    """Mount one at a new folder that every user reaches, or skip the test where that is not allowed."""
    folder = Path(tempfile.mkdtemp(prefix="losswise-disk-"))
    root = [] if os.name == "posix" and os.geteuid() == 0 else ["sudo", "-n"]
    options = f"size={mebibytes}m,mode=0777"
    words = [*root, "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        subprocess.run(words, check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        folder.rmdir()
        pytest.skip(f"a small disk cannot be mounted here ({type(error).__name__}); root may")
    try:
        yield folder
    finally:
        # lazily: a server that is just ending may have files open
        subprocess.run([*root, "umount", "-l", str(folder)], check=True, capture_output=True, timeout=30)
        folder.rmdir()


def fill(folder: Path) -> Path:
    """Write a file until there is no room for another byte; returns it."""
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return ballast
