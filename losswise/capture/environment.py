"""Collect host, user, Python, CI build and command line, and git, in the background."""

from __future__ import annotations

import getpass
import os
import platform
import re
import socket
import sys
from collections.abc import Iterator

from losswise.capture.git import collect_git
from losswise.util.unreliable import Failure, tried
from losswise.values.texts import describe, to_text

MAX_VALUE_CHARS = 10_000

# exact names, never a prefix: there is a GITHUB_TOKEN, too
_CI_VARIABLE = re.compile(
    "BUILDKITE_(BRANCH|BUILD_NUMBER|BUILD_URL|COMMIT|PIPELINE_PROVIDER|PIPELINE_SLUG|REPO)"
    "|GITHUB_(ACTOR|JOB|REF|REF_NAME|REPOSITORY|RUN_ATTEMPT|RUN_ID|RUN_NUMBER|SERVER_URL|SHA|WORKFLOW)"
    "|LBR_(AGENT_ID|BUILD_UUID)"
)
_SECRET_OPTION = re.compile(r"(?i)^--?[\w-]*(key|token|secret|password|passwd)[\w-]*")
_OUR_KEY = re.compile(r"lw_[0-9a-f]{16,}")


def collect(track_git: bool, command_line: bool) -> Iterator[dict[str, dict[str, str]]]:
    """Yield fields of the session record: `env`, then `git` if there is a repository, which may take a while."""
    yield {"env": collect_environment(command_line)}
    if track_git and (git := collect_git()):
        yield {"git": git}


def collect_environment(command_line: bool) -> dict[str, str]:
    """Return host, user, process id, Python, platform, folder, CI build, and with `command_line` the command line."""
    env = {
        "host": tried(socket.gethostname),
        "pid": str(os.getpid()),
        "python": platform.python_version(),
        "platform": tried(platform.platform),
        "folder": tried(os.getcwd),  # it may be deleted
    }
    if not isinstance(user := tried(getpass.getuser), Failure):  # the user of a container may have no name
        env["user"] = user
    env.update({name: value for name, value in os.environ.items() if value and _CI_VARIABLE.fullmatch(name)})
    if command_line:
        env["command"] = tried(_command_line)
    return {name: to_text(value, MAX_VALUE_CHARS) for name, value in env.items()}


def _command_line() -> str:
    """Return the script and its arguments, without the values of options that sound like secrets and API keys."""
    words: list[str] = []
    hide = False
    for word in map(describe, sys.argv):  # a script may have put anything there
        if hide and not word.startswith("-"):
            word = "***"
        name, equals, _value = word.partition("=")
        is_secret = _SECRET_OPTION.match(name) is not None
        hide = is_secret and not equals
        words.append(f"{name}=***" if is_secret and equals else word)
    return _OUR_KEY.sub("***", " ".join(words))
