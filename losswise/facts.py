"""Facts of the surroundings: git, the CI's build, host, Python, command line."""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from losswise.guard import guarded_thread
from losswise.plain import text as plain_text

CI_NAMES = (
    "BUILDKITE_BRANCH",
    "BUILDKITE_BUILD_NUMBER",
    "BUILDKITE_BUILD_URL",
    "BUILDKITE_COMMIT",
    "BUILDKITE_PIPELINE_PROVIDER",
    "BUILDKITE_PIPELINE_SLUG",
    "BUILDKITE_REPO",
    "GITHUB_ACTOR",
    "GITHUB_JOB",
    "GITHUB_REF",
    "GITHUB_REF_NAME",
    "GITHUB_REPOSITORY",
    "GITHUB_RUN_ATTEMPT",
    "GITHUB_RUN_ID",
    "GITHUB_RUN_NUMBER",
    "GITHUB_SERVER_URL",
    "GITHUB_SHA",
    "GITHUB_WORKFLOW",
    "LBR_AGENT_ID",
    "LBR_BUILD_UUID",
)
"""Exact names, never a prefix: GITHUB_TOKEN lives beside GITHUB_SHA."""

MAX_DIFF = 1024 * 1024
MAX_COMMAND = 10_000
GIT_SECONDS = 10.0

_SECRET_OPTION = re.compile(r"(?i)^--?[\w-]*(key|token|secret|password|passwd)[\w-]*")
_OUR_KEY = re.compile(r"lw_[0-9a-f]{16,}")


def default_tag(track_git: bool) -> str:
    """BUILDKITE_BRANCH, else the git branch of the working directory, else 'default'."""
    branch = os.environ.get("BUILDKITE_BRANCH")
    return branch or (git_branch() if track_git else None) or "default"


def git_branch() -> str | None:
    """The branch checked out around the working directory, read from git's files (starting git takes
    milliseconds)."""
    try:
        folder = Path.cwd()
        for place in (folder, *folder.parents):
            git = place / ".git"
            if git.is_file():  # a worktree or a submodule names its folder in here
                git = place / git.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
            if git.is_dir():
                head = (git / "HEAD").read_text(encoding="utf-8").strip()
                return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else None
    except (OSError, ValueError):
        pass
    return None


def environment(command_line: bool) -> dict[str, str]:
    """Host, process, Python, platform, the CI's build, and the command line if it is asked for."""
    env = {
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "folder": os.getcwd(),
    }
    env.update({name: os.environ[name] for name in CI_NAMES if os.environ.get(name)})
    if command_line:
        env["command"] = _command_line()
    return {name: plain_text(value, MAX_COMMAND) for name, value in env.items()}


def _command_line() -> str:
    """The script and its arguments. The values of options that sound like secrets, and our keys, are left out."""
    words: list[str] = []
    hide = False
    for word in sys.argv:
        if hide and not word.startswith("-"):
            words.append("***")
            hide = False
            continue
        secret = _SECRET_OPTION.match(word)
        hide = bool(secret) and "=" not in word
        words.append(word.partition("=")[0] + "=***" if secret and "=" in word else word)
    return _OUR_KEY.sub("***", " ".join(words))


def git_facts() -> dict[str, str]:
    """Branch, remote's address without user and password, commit, diff to it; empty outside a repository."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return {}
    facts = {"commit": commit.strip()}
    branch = git_branch() or _git("rev-parse", "--abbrev-ref", "HEAD")
    if branch and branch.strip() != "HEAD":
        facts["branch"] = branch.strip()
    remote = _git("config", "--get", "remote.origin.url")
    if remote and remote.strip():
        facts["url"] = without_user(remote.strip())
    diff = _git("diff", "--no-color", "--no-ext-diff", "--no-textconv", "HEAD")
    if diff:
        facts["diff"] = diff
    return facts


def without_user(address: str) -> str:
    """A git address without the user name and password that it may hold.

    >>> without_user("https://me:secret@example.com/repo.git")
    'https://example.com/repo.git'
    >>> without_user("git@example.com:team/repo.git")
    'example.com:team/repo.git'
    """
    scheme, is_url, rest = address.partition("://")
    if is_url:
        authority, _slash, _path = rest.partition("/")
        _host, colon, port = authority.rpartition("@")[2].partition(":")
        if colon and not port.isdigit():  # no port, so a password with a slash in it
            return f"{scheme}://{rest.rpartition('@')[2]}"
        return f"{scheme}://{rest[len(authority.rpartition('@')[0]) :].removeprefix('@')}"
    before, at, after = address.partition("@")
    return after if at and "/" not in before else address


def _git(*arguments: str) -> str | None:
    """What a git command prints, at most MAX_DIFF bytes with a note; None where it fails."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        process = subprocess.Popen(
            ["git", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
    except OSError:
        return None
    assert process.stdout is not None
    timer = threading.Timer(GIT_SECONDS, process.kill)
    timer.daemon = True
    timer.start()
    try:
        output = process.stdout.read(MAX_DIFF + 1)
        cut = len(output) > MAX_DIFF
        if cut:
            process.kill()
        failed = process.wait() != 0 and not cut
    finally:
        timer.cancel()
        process.stdout.close()
    if failed:
        return None
    text = plain_text(output[:MAX_DIFF].decode("utf-8", "replace"), MAX_DIFF)
    return text + "\n[cut by losswise at 1 MiB]\n" if cut else text


class Gathering:
    """Gathers the facts on a thread of its own, since git takes its time in a large repository."""

    def __init__(self, send: Callable[[Mapping[str, Any]], None], track_git: bool, command_line: bool) -> None:
        self._send = send
        self._track_git = track_git
        self._command_line = command_line
        self._thread = guarded_thread(self._run, "losswise-facts")

    def start(self) -> None:
        self._thread.start()

    def wait(self, timeout: float) -> None:
        if self._thread is not threading.current_thread() and self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        self._send({"env": environment(self._command_line)})
        git = git_facts() if self._track_git else {}
        if git:
            self._send({"git": git})
