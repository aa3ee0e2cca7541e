"""`losswise server`: the first start, later starts, and error messages when it cannot start."""

from __future__ import annotations

import os
import re
import shlex
import socket
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from losswise_server.cli.serve import link_command
from losswise_server.config import Settings

from tests.support.batches import Writing
from tests.support.database.postgres import Postgres
from tests.support.server import ADMIN_EMAIL, API_KEY, ENDED, Server


def run(server: Server, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command that should exit by itself."""
    return subprocess.run(
        server.command("server", *words),
        env={**server.environ, **environ},
        cwd=server.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one-line error message of a start that failed."""
    assert done.returncode != 0
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    [sentence] = done.stderr.strip().splitlines()
    return sentence


def test_first_start_with_nothing_configured(new_server: Callable[..., Server]) -> None:
    server = new_server(configured=False).start()
    link = re.search(r"http://\S+/sign-in/\S+", server.output)
    key = re.search(r"lw_[0-9a-f]{40}", server.output)
    assert link
    assert key
    browser = requests.Session()
    page = browser.get(link[0], timeout=30)
    assert page.status_code == 200
    assert "/projects/" in page.url
    assert requests.get(link[0], timeout=30).status_code == 410
    assert requests.get(server.url + "/api/v2/me", headers={"Authorization": key[0]}, timeout=30).json()["project"]
    # a script on this machine needs no key
    login = server.folder / "home/.config/losswise/login.json"
    assert key[0] in login.read_text()
    assert server.url in login.read_text()
    assert stat.S_IMODE(login.stat().st_mode) == 0o600
    script = "import losswise\nwith losswise.Session(tag='test') as s:\n    s.log({'loss': 1.0}, 0)\n"
    done = subprocess.run(
        [*server.command()[:1], "-c", script], env=server.environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    server.api_key = key[0]
    [session] = server.get("/api/v2/sessions")["sessions"]
    assert (session["tag"], session["status"]) == ("test", "complete")
    # the secrets are not in the database, and not printed again
    database = (server.data_dir / "losswise.db").read_bytes() + (server.data_dir / "losswise.db-wal").read_bytes()
    assert key[0].encode() not in database
    assert stat.S_IMODE((server.data_dir / "secret_key").stat().st_mode) == 0o600
    assert server.stop() in ENDED
    server.output = ""
    server.start()
    assert "lw_" not in server.output
    assert "/sign-in/" not in server.output
    told = re.search(r"To get a sign-in link: losswise (server-admin sign-in-link .+)", server.output)
    assert told
    made = subprocess.run(
        server.command(*shlex.split(told[1])), env=server.environ, capture_output=True, text=True, timeout=60
    )
    again = made.stdout.strip()
    assert again.startswith(server.url), made.stderr
    assert requests.get(again, timeout=30).status_code == 200
    assert server.get("/api/v2/me")["project"]["name"] == "default"


def test_the_database_is_private_even_in_a_readable_folder(new_server: Callable[..., Server]) -> None:
    server = new_server()
    server.data_dir.mkdir(mode=0o755)
    server.start()
    Writing(server)
    for path in server.data_dir.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_stored_login_of_another_address_is_left_alone(new_server: Callable[..., Server]) -> None:
    server = new_server(configured=False)
    login = server.folder / "home/.config/losswise/login.json"
    login.parent.mkdir(parents=True)
    login.write_text('{"base_url": "https://losswise.example.com", "api_key": "lw_mine"}')
    server.start()
    assert "lw_mine" in login.read_text()
    assert "shown only this once" in server.output
    assert f"scripts send to https://losswise.example.com; run `losswise login {server.url}` to change" in server.output


@pytest.mark.full
def test_the_greeting_warns_if_scripts_send_to_another_port(new_server: Callable[..., Server]) -> None:
    server = new_server(configured=False).start()
    assert "scripts send to" not in server.output
    first = server.url
    assert server.stop() in ENDED
    server.start()
    assert server.url != first
    assert f"scripts send to {first}; run `losswise login {server.url}` to change that" in server.output
    login = server.folder / "home/.config/losswise/login.json"
    login.write_text(login.read_text().replace(first, server.url.replace("127.0.0.1", "localhost")))
    assert server.stop() in ENDED
    server.output = ""
    server.start(server.port)
    assert "scripts send to" not in server.output


@pytest.mark.full
@pytest.mark.parametrize("by", ["words", "environment"])
def test_the_link_command_finds_postgresql(postgres: Postgres, new_server: Callable[..., Server], by: str) -> None:
    url = postgres.new_database()
    server = new_server(database_url=url) if by == "words" else new_server(environ={"LW_DATABASE_URL": url})
    server.start()
    told = re.search(r"To get a sign-in link: losswise (server-admin sign-in-link .+)", server.output)
    assert told
    assert ("--database-url postgresql://" in told[1] or "--database-url 'postgresql://" in told[1]) == (by == "words")
    made = subprocess.run(
        server.command(*shlex.split(told[1])), env=server.environ, capture_output=True, text=True, timeout=60
    )
    link = made.stdout.strip()
    assert link.startswith(server.url), made.stderr
    assert "/projects/" in requests.get(link, timeout=30).url


def test_the_link_command_shows_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql+psycopg2://somebody:secret@db.example.com:5432/losswise"
    settings = Settings(tmp_path, url, "x")
    words = shlex.split(link_command(settings, "http://127.0.0.1:3000"))
    assert words[-2:] == ["--database-url", "postgresql://somebody@db.example.com:5432/losswise"]
    monkeypatch.setenv("LW_DATABASE_URL", "postgres://somebody:secret@db.example.com:5432/losswise")
    assert "--database-url" not in link_command(settings, "http://127.0.0.1:3000")


@pytest.mark.full
def test_configured_by_the_environment_no_secret_is_printed(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    assert API_KEY not in server.output
    assert "lw_" not in server.output
    assert "/sign-in/" not in server.output
    assert server.get("/api/v2/me")["project"]["name"] == "default"
    assert server.signed_in().get(server.url + "/api/v2/me", timeout=30).json()["user"]["email"] == ADMIN_EMAIL
    # secrets that are set at a later start apply too
    assert server.stop() in ENDED
    server.environ.update(LW_API_KEY="lw_second", LW_ADMIN_PASSWORD="a new one")
    server.start()
    for key in (API_KEY, "lw_second"):
        assert server.request("GET", "/api/v2/me", key=key).status_code == 200
    answer = requests.post(server.url + "/login", data={"email": ADMIN_EMAIL, "password": "a new one"}, timeout=30)
    assert "/projects/" in answer.url


@pytest.mark.full_on_postgresql
def test_healthz_and_shutdown(own_server: Server) -> None:
    assert requests.get(own_server.url + "/healthz", timeout=30).json() == {"status": "ok"}
    status, tries = own_server.stop(timeout=30), 1
    while status != 0 and tries < 3:  # by itself, unless the machine is under load; see test_shutdown.py
        assert status in ENDED
        own_server.start()
        status, tries = own_server.stop(timeout=30), tries + 1
    assert status == 0


def test_a_port_in_use(new_server: Callable[..., Server]) -> None:
    server = new_server()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        sentence = refused(run(server, "--port", str(port), "--data-dir", str(server.data_dir)))
    assert str(port) in sentence
    assert "--port" in sentence
    assert not (server.data_dir / "losswise.db").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_a_folder_that_is_not_writable(new_server: Callable[..., Server]) -> None:
    server = new_server()
    file = server.folder / "file"
    file.write_text("")
    sentence = refused(run(server, "--port", "0", "--data-dir", str(file / "below")))
    assert "is not writable" in sentence
    assert "--data-dir" in sentence


def test_a_database_that_cannot_be_reached(new_server: Callable[..., Server]) -> None:
    server = new_server()
    url = "postgresql://somebody:secret@127.0.0.1:1/nothing"
    sentence = refused(run(server, "--port", "0", "--data-dir", str(server.data_dir), "--database-url", url))
    assert "cannot be used" in sentence
    assert "127.0.0.1" in sentence
    assert "secret" not in sentence
    assert "psycopg2" not in sentence
    for wrong in ("nonsense", "mysql://localhost/x"):
        sentence = refused(run(server, "--port", "0", "--data-dir", str(server.data_dir), "--database-url", wrong))
        assert "postgresql://" in sentence


def test_a_file_that_is_not_a_database(new_server: Callable[..., Server]) -> None:
    server = new_server()
    server.data_dir.mkdir()
    (server.data_dir / "losswise.db").write_text("this is not a database " * 100)
    assert "cannot be used" in refused(run(server, "--port", "0", "--data-dir", str(server.data_dir)))


@pytest.mark.full
def test_a_second_server_on_the_same_data(new_server: Callable[..., Server]) -> None:
    """Its pages would miss changes that the first one stores."""
    server = new_server().start()
    sentence = refused(run(server, "--port", "0", "--data-dir", str(server.data_dir)))
    assert "already runs" in sentence
    assert "--data-dir" in sentence
    server.kill()  # a lock dies with its holder
    server.start()


def test_the_greeting_mentions_listening_on_all_interfaces(new_server: Callable[..., Server]) -> None:
    server = new_server(arguments=("--host", "0.0.0.0")).start()
    assert "every network" in server.output
    assert not (server.folder / "home/.gunicorn").exists()


@pytest.mark.full
def test_a_newer_database(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    server.stop()
    connection = sqlite3.connect(server.data_dir / "losswise.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    assert "newer" in refused(run(server, "--port", "0", "--data-dir", str(server.data_dir)))


@pytest.mark.full
def test_wrong_arguments(new_server: Callable[..., Server]) -> None:
    server = new_server()
    sentence = refused(run(server, "--port", "0", "--workers", "2", "--data-dir", str(server.data_dir)))
    assert "PostgreSQL" in sentence
    assert "--workers" in refused(run(server, "--workers", "0", "--data-dir", str(server.data_dir)))
    assert "99999" in refused(run(server, "--port", "99999", "--data-dir", str(server.data_dir)))
    assert "cannot listen" in refused(run(server, "--host", "192.0.2.1", "--data-dir", str(server.data_dir)))


def test_two_servers_start_on_one_empty_database(postgres: object, tmp_path: Path) -> None:
    """The second one waits for the migrations of the first."""
    from concurrent.futures import ThreadPoolExecutor

    url = postgres.new_database()  # type: ignore[attr-defined]
    servers = [Server(tmp_path / name, url) for name in ("one", "two")]
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda server: server.start(), servers))
        for server in servers:
            assert server.get("/api/v2/me")["project"] == servers[0].get("/api/v2/me")["project"]
    finally:
        for server in servers:
            server.kill()
