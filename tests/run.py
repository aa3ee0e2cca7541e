"""Run the tests: `python -m tests.run [--full]`, which `make test` and `make test-full` call.

Says what it does, installs the browser and nginx where it may, and checks the code with ruff. Then it runs pytest on
four processes, and beside it mypy and what checks and tests the scripts (tests/scripts.py). With CI=true a missing
browser, nginx, npm or database is a failure, not a skip.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = (
    ("chromium", ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"), "the pages"),
    ("nginx-light", ("nginx",), "the server behind nginx"),
)
"""Debian's package, the names of its program and of what does as well, and what is tested with it."""


def say(sentence: str) -> None:
    print(f"== {sentence}", flush=True)


def find(names: tuple[str, ...]) -> bool:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    return any(shutil.which(name, path=path) for name in names)


def install_programs() -> None:
    """From Debian where we may, else a sentence says what is left out."""
    missing = [program for program in PROGRAMS if not find(program[1])]
    if missing and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=environ, stdout=subprocess.DEVNULL, check=False)
        for package, _names, tested in missing:
            say(f"Installing {package} for the tests of {tested}")
            words = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", package]
            subprocess.run(words, env=environ, stdout=subprocess.DEVNULL, check=False)
    for _package, names, tested in missing:
        if not find(names):
            say(f"No {names[0]}: the tests of {tested} are left out. Install {' or '.join(names)} to run them")


def run(title: str, *words: str) -> int:
    say(title)
    return subprocess.run([sys.executable, "-m", *words], cwd=ROOT, check=False).returncode


def run_quietly(*words: str) -> tuple[int, str]:
    """The exit status of a module, and what it said."""
    output, both = subprocess.PIPE, subprocess.STDOUT
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, check=False, stdout=output, stderr=both, text=True)
    return done.returncode, done.stdout.strip()


def print_checks(beside: list[Future[tuple[int, str]]]) -> int:
    """Wait for checks that run beside the tests, and print what they say; the highest exit status."""
    results = [check.result() for check in beside]
    print("\n".join(said for _, said in results), flush=True)
    return max(status for status, _ in results)


def main() -> int:
    full = "--full" in sys.argv[1:]
    rest = [word for word in sys.argv[1:] if word != "--full"]
    started = time.monotonic()
    install_programs()
    steps = [
        run("Checking the code", "ruff", "check", "."),
        run("Checking its format", "ruff", "format", "--check", "."),
    ]
    say("Checking its types, and the scripts, beside the tests")
    with ThreadPoolExecutor(2) as pool:
        beside = [pool.submit(run_quietly, "mypy"), pool.submit(run_quietly, "tests.scripts")]
        steps.append(
            run(
                "Running the tests" + (", all of them" if full else ""),
                "pytest",
                "--numprocesses=4",
                "--dist=loadscope",
                "--no-loadscope-reorder",  # by number of tests: those that take longest would come last
                *(() if full else ("-m", "not full")),
                *rest,
            )
        )
        steps.append(print_checks(beside))
    say(f"{'All is well' if not any(steps) else 'Something failed'} after {time.monotonic() - started:.0f} s")
    return max(steps)


if __name__ == "__main__":
    raise SystemExit(main())
