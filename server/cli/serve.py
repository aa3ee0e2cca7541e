"""`losswise server`: check the settings, migrate the database, make the first key, then serve until SIGTERM."""

from __future__ import annotations

import argparse
import errno
import ipaddress
import os
import shlex
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url

from losswise import __version__
from losswise.util.credentials import load_login, store_login
from losswise.util.locks import FileLock
from losswise.util.paths import data_folder

from .. import create_app
from ..config import CannotStart, Settings, load_settings
from ..db.urls import normalize_url, shown_url, without_password
from ..extensions import db
from ..setup.first_start import FirstStart, prepare
from ..setup.upgrade import upgrade_schema
from .wsgi import serve

HOST, PORT = "127.0.0.1", 3000
USE_OTHER_SERVER = "use that one, or choose another folder with --data-dir"
ALL_INTERFACES = ("", "0.0.0.0", "::")


def main(argv: list[str]) -> int:
    """Run the server; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return run(arguments)
    except CannotStart as error:
        print(f"losswise server: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="losswise server", description="Run the server: dashboard, API and live updates."
    )
    parser.add_argument("--host", default=HOST, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="port to listen on (default: %(default)s)")
    add_data_arguments(parser)
    parser.add_argument(
        "--workers", type=int, default=1, help="worker processes; more than one needs PostgreSQL (default: %(default)s)"
    )
    return parser


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say where the data is."""
    parser.add_argument("--data-dir", help="folder of the SQLite database and the secret key (or LW_DATA_DIR)")
    parser.add_argument("--database-url", help="use PostgreSQL instead, postgresql://... (or LW_DATABASE_URL)")


def run(arguments: argparse.Namespace) -> int:
    """Serve until the server is stopped; returns the exit status. Raises CannotStart."""
    settings = load_settings(arguments.data_dir, arguments.database_url)
    if arguments.workers < 1:
        raise CannotStart("--workers must be at least 1")
    if settings.is_sqlite and arguments.workers > 1:
        raise CannotStart(
            "--workers must be 1 with SQLite, which one process writes; "
            "for more workers use PostgreSQL with --database-url"
        )
    listener = _listen(arguments.host, arguments.port)
    url = address(arguments.host, listener.getsockname()[1])
    lock = lock_data(settings)
    first = _prepare_database(settings)
    stored = _store_login(arguments.host, url, first)
    serve(
        settings,
        listener,
        workers=arguments.workers,
        on_ready=lambda: _print_greeting(arguments.host, url, settings, first, stored),
    )
    if lock is not None:
        lock.release()
    return 0


def lock_data(settings: Settings, advice: str = USE_OTHER_SERVER) -> FileLock | None:
    """On SQLite, make sure that no other server uses the database: pages would miss each other's changes.

    Args:
        advice: what the error message tells the user to do if another server uses it.

    Returns the held lock, None for PostgreSQL. Raises CannotStart if another server holds it.
    """
    if not settings.is_sqlite:
        return None
    database = make_url(settings.database_url).database
    lock = FileLock(Path(f"{database}.lock"))
    try:
        taken = not lock.acquire()
    except OSError as error:
        raise CannotStart(f"{lock.path} cannot be written ({error.strerror})") from None
    if taken:
        raise CannotStart(f"a server already runs on {database}; {advice}")
    return lock


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket. Binding comes first, so that nothing is created if the port is in use."""
    if not 0 <= port <= 65535:
        raise CannotStart(f"--port must be between 0 and 65535, not {port}")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        if os.name != "nt":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(1024)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotStart(f"port {port} on {host} is in use; choose another with --port") from None
        raise CannotStart(f"cannot listen on {host}, port {port}: {error.strerror or error}") from None
    return listener


def address(host: str, port: int) -> str:
    """The server's address for a browser on this machine."""
    if host in ALL_INTERFACES:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _prepare_database(settings: Settings) -> FirstStart:
    app = create_app(settings)
    upgrade_schema(app)
    with app.app_context():
        first = prepare()
        db.engine.dispose()  # connections must not be shared with the worker processes
    return first


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches the host."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _store_login(host: str, url: str, first: FirstStart) -> bool:
    """On loopback, store the first key as this user's login, so that scripts on this machine find the server.

    A stored login of another address is never overwritten. Returns whether the key was stored.
    """
    if first.api_key is None or not is_loopback(host):
        return False
    known = load_login()
    if known is not None and known.base_url.rstrip("/") != url:
        return False
    try:
        store_login(url, first.api_key)
    except OSError:
        return False
    return True


def link_command(settings: Settings, url: str) -> str:
    """The shell command that prints a sign-in link for this server, from any folder of this machine.

    The database's password is left out: the command finds it in PGPASSWORD, in ~/.pgpass or in LW_DATABASE_URL.
    """
    words = ["losswise", "server-admin", "sign-in-link"]
    if url != address(HOST, PORT):
        words += ["--url", url]
    usual = os.environ.get("LW_DATA_DIR") or data_folder()
    if _names_database(settings):
        words += ["--database-url", shown_url(without_password(settings.database_url))]
    if settings.is_sqlite and settings.data_dir.absolute() != Path(usual).expanduser().absolute():
        words += ["--data-dir", str(settings.data_dir.absolute())]
    return shlex.join(words)


def _names_database(settings: Settings) -> bool:
    """Return whether commands need --database-url: the database is not the one that they use by default."""
    return not settings.is_sqlite and normalize_url(os.environ.get("LW_DATABASE_URL", "")) != settings.database_url


def _is_same(one: str, other: str) -> bool:
    """Return whether two addresses belong to one server, such as localhost and 127.0.0.1."""
    parts = [urlsplit(url.rstrip("/")) for url in (one, other)]
    hosts = {"loopback" if is_loopback(part.hostname or "") else part.hostname for part in parts}
    return len(hosts) == 1 and parts[0].scheme == parts[1].scheme and parts[0].port == parts[1].port


def _print_greeting(host: str, url: str, settings: Settings, first: FirstStart, stored: bool) -> None:
    place = settings.data_dir if settings.is_sqlite else "PostgreSQL"
    lines = [f"Losswise {__version__} is ready at {url} (data: {place})"]
    if host in ALL_INTERFACES:
        lines.append("  It listens on every network interface; from another machine, use this one's host name")
    if first.api_key:
        note = "stored for this user: scripts on this machine use it" if stored else "shown only this once"
        lines.append(f"  API key: {first.api_key}  ({note})")
    known = load_login()
    if known is not None and (host in ALL_INTERFACES or is_loopback(host)) and not _is_same(known.base_url, url):
        lines.append(f"  This user's scripts send to {known.base_url}; run `losswise login {url}` to change that")
    if first.sign_in_token:
        lines.append(f"  Sign in: {url}/sign-in/{first.sign_in_token}  (works once, within a day)")
    else:
        needs_password = _names_database(settings) and make_url(settings.database_url).password
        password = " (set PGPASSWORD to the database's password)" if needs_password else ""
        lines.append(f"  To get a sign-in link{password}: {link_command(settings, url)}")
    print("\n".join(lines), flush=True)
