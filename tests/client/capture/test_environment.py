"""Environment and git, from a real git repository and a made-up CI."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import losswise
from losswise.capture import environment
from losswise.capture import git as capture_git
from losswise.util import redact
from tests.client.fake_server import FakeServer


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "train.py").write_text("rate = 0.1\n")
    for command in (
        ["init", "-q", "-b", "topic/one"],
        ["remote", "add", "origin", "https://me:secret@example.com/team/repo.git"],
        ["add", "."],
        ["-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "-m", "first"],
    ):
        subprocess.run(["git", *command], check=True)
    (folder / "train.py").write_text("rate = 0.2\n")
    return folder


def test_git_arrives_with_the_session(recorder: FakeServer, repository: Path) -> None:
    losswise.Session(command_line=False).done()
    git = next(record["git"] for record in recorder.records("session") if "git" in record)
    assert recorder.records("session")[0]["tag"] == "topic/one"
    assert git["branch"] == "topic/one"
    assert git["url"] == "https://example.com/team/repo.git"
    assert len(git["commit"]) == 40
    assert "-rate = 0.1\n+rate = 0.2" in git["diff"]


def test_git_is_left_out_where_it_is_not_wanted_or_not_there(
    recorder: FakeServer, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losswise.Session(track_git=False).done()
    monkeypatch.chdir(tmp_path)
    losswise.Session().done()
    assert not any("git" in record for record in recorder.records("session"))


def test_a_large_diff_is_cut_with_a_note(repository: Path) -> None:
    (repository / "train.py").write_text("x" * 3_000_000)
    diff = capture_git.collect_git()["diff"]
    assert len(diff) < capture_git.MAX_DIFF_BYTES + 100
    assert "cut by losswise" in diff[-100:]


def test_ci_variables_are_taken_by_exact_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SHA", "abc")
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("BUILDKITE_BUILD_URL", "https://ci.example.com/1")
    monkeypatch.setenv("BUILDKITE_AGENT_ACCESS_TOKEN", "secret")
    env = environment.collect_environment(command_line=False)
    assert env["GITHUB_SHA"] == "abc"
    assert env["BUILDKITE_BUILD_URL"] == "https://ci.example.com/1"
    assert "secret" not in env.values()
    assert "command" not in env
    assert {"host", "python", "platform"} <= env.keys()


def test_the_user_is_recorded_if_there_is_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    assert environment.collect_environment(command_line=False)["user"] == "ada"
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)  # as in a container that is started with a number
    assert "user" not in environment.collect_environment(command_line=False)


def test_the_command_line_goes_without_what_sounds_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["train.py", "--rate", "0.1", "--api-key", "s1", "--db-password=s2", "--epochs=3", f"to=lw_{'0f' * 20}"]
    monkeypatch.setattr(sys, "argv", words)
    command = environment.collect_environment(command_line=True)["command"]
    assert command == "train.py --rate 0.1 --api-key *** --db-password=*** --epochs=3 to=***"


@pytest.mark.parametrize(
    ("address", "clean"),
    [
        ("https://example.com/a.git", "https://example.com/a.git"),
        ("https://token@example.com/a.git", "https://example.com/a.git"),
        ("https://me:secret@example.com:8443/a.git", "https://example.com:8443/a.git"),
        ("https://me:p/w@d@example.com/a.git", "https://example.com/a.git"),
        ("ssh://git@example.com/a.git", "ssh://example.com/a.git"),
        ("git@example.com:team/a.git", "example.com:team/a.git"),
        ("/srv/git/a@b.git", "/srv/git/a@b.git"),
    ],
)
def test_users_and_passwords_are_cut_out_of_addresses(address: str, clean: str) -> None:
    assert redact.without_user(address) == clean
