"""Collect branch, remote, commit and diff of the git repository."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

from losswise.util.redact import without_user
from losswise.values.texts import to_text

MAX_DIFF_BYTES = 1024 * 1024
COMMAND_TIMEOUT_S = 10.0


def default_tag(track_git: bool) -> str:
    """Return BUILDKITE_BRANCH, else the git branch of the working directory, else 'default'."""
    branch = os.environ.get("BUILDKITE_BRANCH")
    return branch or (git_branch() if track_git else None) or "default"


def git_branch() -> str | None:
    """Return the branch that is checked out in the working directory; None if there is none.

    Reads git's files, because starting git takes milliseconds and the constructor of a session waits for this.
    """
    try:
        folder = Path.cwd()
        for parent in (folder, *folder.parents):
            git = parent / ".git"
            if git.is_file():  # of a worktree or a submodule: it names the folder
                git = parent / git.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
            if git.is_dir():
                head = (git / "HEAD").read_text(encoding="utf-8").strip()
                return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else None
    except (OSError, ValueError):
        pass
    return None


def collect_git() -> dict[str, str]:
    """Return commit, branch, address of the remote without user and password, and the diff to the commit.

    What is unknown is left out; outside a repository the dictionary is empty.
    """
    commit = _git("rev-parse", "HEAD").strip()
    if not commit:
        return {}
    branch = git_branch() or _git("rev-parse", "--abbrev-ref", "HEAD").strip()
    found = {
        "commit": commit,
        "branch": branch if branch != "HEAD" else "",
        "url": without_user(_git("config", "--get", "remote.origin.url").strip()),
        "diff": _git("diff", "--no-color", "--no-ext-diff", "--no-textconv", "HEAD"),
    }
    return {name: value for name, value in found.items() if value}


def _git(*arguments: str) -> str:
    """Return what a git command prints, at most MAX_DIFF_BYTES with a note; "" if it fails."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        process = Popen(["git", *arguments], stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, env=environment)
    except OSError:
        return ""
    timer = threading.Timer(COMMAND_TIMEOUT_S, process.kill)
    timer.daemon = True
    timer.start()
    # not subprocess.run: a diff may be too large for the memory
    with process:  # until it has ended
        assert process.stdout is not None
        output = process.stdout.read(MAX_DIFF_BYTES + 1)
        is_cut = len(output) > MAX_DIFF_BYTES
        if is_cut:
            process.kill()
    timer.cancel()
    if process.returncode and not is_cut:
        return ""
    text = to_text(output[:MAX_DIFF_BYTES].decode("utf-8", "replace"), MAX_DIFF_BYTES)
    return text + "\n[cut by losswise at 1 MiB]\n" if is_cut else text
