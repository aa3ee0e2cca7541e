"""Collect branch, remote, commit and diff of the git repository."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

from losswise.util.redact import without_user
from losswise.values.jsonable import to_text

MAX_DIFF = 1024 * 1024
GIT_SECONDS = 10.0


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
    text = to_text(output[:MAX_DIFF].decode("utf-8", "replace"), MAX_DIFF)
    return text + "\n[cut by losswise at 1 MiB]\n" if cut else text
