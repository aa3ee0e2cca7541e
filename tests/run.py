"""Run the tests: `python -m tests.run [--full]`, which `make test` and `make test-full` call.

Says what it does, installs the browser where it may, checks the code with ruff and mypy, then runs pytest on three
processes. With CI=true a missing browser or database is a failure, not a skip.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def say(sentence: str) -> None:
    print(f"== {sentence}", flush=True)


def find_browser() -> str | None:
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def install_browser() -> None:
    """Debian's Chromium where we may install it, else a sentence that says what to do."""
    if find_browser():
        return
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        say("Installing Chromium for the tests of the pages")
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", *words], env=environ, stdout=subprocess.DEVNULL, check=False)
    if not find_browser():
        say("No Chromium: the tests of the pages are left out. Install chromium, or Google Chrome, to run them")


def run(title: str, *words: str) -> int:
    say(title)
    return subprocess.run([sys.executable, "-m", *words], cwd=ROOT, check=False).returncode


def main() -> int:
    full = "--full" in sys.argv[1:]
    rest = [word for word in sys.argv[1:] if word != "--full"]
    started = time.monotonic()
    install_browser()
    steps = [
        run("Checking the code", "ruff", "check", "."),
        run("Checking its format", "ruff", "format", "--check", "."),
        run("Checking its types", "mypy"),
        run(
            "Running the tests" + (", all of them" if full else ""),
            "pytest",
            "--numprocesses=3",
            "--dist=loadscope",
            *(() if full else ("-m", "not full")),
            *rest,
        ),
    ]
    say(f"{'All is well' if not any(steps) else 'Something failed'} after {time.monotonic() - started:.0f} s")
    return max(steps)


if __name__ == "__main__":
    raise SystemExit(main())
