"""`losswise server`: check, migrate, prepare, then serve until SIGTERM."""

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
OTHER_SERVER = "use that one, or name another folder with --data-dir"
EVERYWHERE = ("", "0.0.0.0", "::")


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
        prog="losswise server", description="Serve the dashboard and take what training scripts send."
    )
    parser.add_argument("--host", default=HOST, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="port to listen on (default: %(default)s)")
    add_data_arguments(parser)
    parser.add_argument("--workers", type=int, default=1, help="processes; more than one needs PostgreSQL")
    return parser


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", help="folder of the SQLite database and the secret (LW_DATA_DIR)")
    parser.add_argument("--database-url", help="PostgreSQL's address, postgresql://... (LW_DATABASE_URL)")


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.data_dir, arguments.database_url)
    if arguments.workers < 1:
        raise CannotStart("--workers must be at least 1")
    if settings.sqlite and arguments.workers > 1:
        raise CannotStart(
            "SQLite is written by one process, so --workers must be 1; "
            "for more give a PostgreSQL database with --database-url"
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
        on_ready=lambda: _greet(arguments.host, url, settings, first, stored),
    )
    if lock is not None:
        lock.release()
    return 0


def lock_data(settings: Settings, otherwise: str = OTHER_SERVER) -> FileLock | None:
    """On SQLite, keep other servers off the data: a page of theirs would not hear of what this one stores.

    Raises CannotStart where one runs on it; `otherwise` says what to do then.
    """
    if not settings.sqlite:
        return None
    database = make_url(settings.database_url).database
    lock = FileLock(Path(f"{database}.lock"))
    try:
        taken = not lock.acquire()
    except OSError as error:
        raise CannotStart(f"{lock.path} cannot be written ({error.strerror})") from None
    if taken:
        raise CannotStart(f"a server already runs on {database}; {otherwise}")
    return lock


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket. It is bound before anything is made, so that a port in use changes nothing."""
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
    """The address at which a browser on this machine finds the server."""
    if host in EVERYWHERE:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _prepare_database(settings: Settings) -> FirstStart:
    app = create_app(settings)
    upgrade_schema(app)
    with app.app_context():
        first = prepare()
        db.engine.dispose()  # the workers make their own connections
    return first


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _store_login(host: str, url: str, first: FirstStart) -> bool:
    """On loopback, let this user's scripts find the server; never in place of a login at another address."""
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
    """What makes a sign-in link of this server, wherever it is pasted on this machine.

    A database's password is not shown: the command finds it where PostgreSQL's own programs do, or in LW_DATABASE_URL.
    """
    words = ["losswise", "server-admin", "sign-in-link"]
    if url != address(HOST, PORT):
        words += ["--url", url]
    usual = os.environ.get("LW_DATA_DIR") or data_folder()
    if _names_database(settings):
        words += ["--database-url", shown_url(without_password(settings.database_url))]
    if settings.sqlite and settings.data_dir.absolute() != Path(usual).expanduser().absolute():
        words += ["--data-dir", str(settings.data_dir.absolute())]
    return shlex.join(words)


def _names_database(settings: Settings) -> bool:
    """Whether a command must be told the database, which is not where it looks by itself."""
    return not settings.sqlite and normalize_url(os.environ.get("LW_DATABASE_URL", "")) != settings.database_url


def _is_same(one: str, other: str) -> bool:
    """Whether two addresses are of one server, as localhost's and 127.0.0.1's are."""
    parts = [urlsplit(url.rstrip("/")) for url in (one, other)]
    hosts = {"loopback" if is_loopback(part.hostname or "") else part.hostname for part in parts}
    return len(hosts) == 1 and parts[0].scheme == parts[1].scheme and parts[0].port == parts[1].port


def _greet(host: str, url: str, settings: Settings, first: FirstStart, stored: bool) -> None:
    place = settings.data_dir if settings.sqlite else "PostgreSQL"
    lines = [f"Losswise {__version__} is ready at {url} (data: {place})"]
    if host in EVERYWHERE:
        lines.append("  It listens on every network of this machine; from another one, use its name, not 127.0.0.1")
    if first.api_key:
        told = "stored for this user: scripts on this machine need nothing more" if stored else "shown only now"
        lines.append(f"  API key: {first.api_key}  ({told})")
    known = load_login()
    if known is not None and (host in EVERYWHERE or is_loopback(host)) and not _is_same(known.base_url, url):
        lines.append(f"  This user's scripts send to {known.base_url}; `losswise login {url}` changes that")
    if first.sign_in_token:
        lines.append(f"  Sign in: {url}/sign-in/{first.sign_in_token}  (works once, within a day)")
    else:
        hidden = _names_database(settings) and make_url(settings.database_url).password
        password = " (with the database's password in PGPASSWORD)" if hidden else ""
        lines.append(f"  For a new sign-in link{password}: {link_command(settings, url)}")
    print("\n".join(lines), flush=True)
