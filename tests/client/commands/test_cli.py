"""The command line, and where sessions are sent."""

from __future__ import annotations

import io
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import losswise
from losswise import cli, settings
from losswise.cli import main
from losswise.util.credentials import Target, load_login, login_path, store_login
from tests.support.server import Server


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"losswise {losswise.__version__}\n"


def test_login_checks_the_key_and_stores_it_for_this_user_only(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["login", f"{server.url}/", "--key", server.api_key]) == 0
    assert "accepts the key" in capsys.readouterr().out
    assert load_login() == Target(server.url, server.api_key)
    if sys.platform != "win32":
        assert stat.S_IMODE(login_path().stat().st_mode) == 0o600
        assert stat.S_IMODE(login_path().parent.stat().st_mode) == 0o700


def test_a_login_from_a_pipe(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{server.api_key}\n"))
    assert main(["login", server.url]) == 0
    assert load_login() == Target(server.url, server.api_key)


def test_nobody_is_asked_for_the_key_of_a_server_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["login", "127.0.0.1:9"]) == 1
    assert "no losswise server answers at http://127.0.0.1:9" in capsys.readouterr().err


def test_a_stored_login_is_enough_for_a_session(server: Server, journals: Path) -> None:
    store_login(server.url, server.api_key)
    with losswise.Session("from a login", track_git=False) as session:
        session.log({"loss": 1.0})
    assert server.session(session.id)["status"] == "complete"
    assert list(journals.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["URL", "--key", "wrong"], "does not accept this key"),
        (["http://127.0.0.1:9", "--key", "k"], "no losswise server answers"),
        (["ftp://example.com", "--key", "k"], "must start with http"),
    ],
)
def test_a_login_that_fails_says_why_and_stores_nothing(
    server: Server, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    words = [server.url if word == "URL" else word for word in arguments]
    assert main(["login", *words]) == 1
    assert sentence in capsys.readouterr().err
    assert load_login() is None


def test_a_command_that_is_not_installed_says_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'flask'", name="flask")

    monkeypatch.setattr(cli, "import_module", missing)
    assert main(["server", "--port", "0"]) == 2
    assert "pip install 'losswise[server]'" in capsys.readouterr().err


ADDRESS, OTHER = "http://10.0.0.1:3000", "http://10.0.0.2:3000"


def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pass


def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    store_login(ADDRESS, "stored")


def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_BASE_URL", OTHER + "/")
    monkeypatch.setenv("LW_API_KEY", "environment")


def other_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_BASE_URL", OTHER)


def set_in_code(monkeypatch: pytest.MonkeyPatch) -> None:
    losswise.set_base_url("http://set:1")
    losswise.set_api_key("set")


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ([nothing], (settings.DEFAULT_BASE_URL, None)),
        ([stored], (ADDRESS, "stored")),
        ([stored, environment], (OTHER, "environment")),
        ([stored, other_address], (OTHER, None)),
        ([stored, environment, set_in_code], ("http://set:1", "set")),
    ],
    ids=lambda value: "+".join(step.__name__ for step in value) if isinstance(value, list) else "",
)
def test_where_to(
    monkeypatch: pytest.MonkeyPatch,
    given: list[Callable[[pytest.MonkeyPatch], None]],
    target: tuple[str, str | None],
) -> None:
    for step in given:
        step(monkeypatch)
    found = settings.resolve()
    assert (found.base_url, found.api_key) == target
    called = settings.resolve("http://call:1/", "call")
    assert (called.base_url, called.api_key) == ("http://call:1", "call")
    assert "call" not in repr(called).replace("http://call:1", "")


def test_a_broken_stored_login_is_no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    login_path().parent.mkdir(parents=True)
    login_path().write_text("{broken")
    assert load_login() is None
    assert settings.resolve().base_url == settings.DEFAULT_BASE_URL


def test_a_setting_that_cannot_be_read_is_told_with_what_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_JOURNAL_MAX", "abc")
    monkeypatch.setenv("LW_END_TIMEOUT", "soon")
    assert (settings.journal_bound(), settings.end_timeout()) == (2 * 1024**3, 10.0)
    assert capsys.readouterr().err.splitlines() == [
        "losswise: LW_JOURNAL_MAX is 'abc', which is not a size; 2 GiB is used",
        "losswise: LW_END_TIMEOUT is 'soon', which is not a number of seconds; 10 s is used",
    ]
