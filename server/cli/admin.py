"""`losswise server-admin`: commands for the administrator, on the server's machine."""

from __future__ import annotations

import argparse
import os
import sys
from urllib.parse import urlsplit

from sqlalchemy import select

from losswise.util.credentials import load_login

from .. import create_app
from ..accounts.sign_in_links import new_sign_in_token
from ..config import CannotStart, Settings, checked_url, load_settings
from ..db.engine import writing
from ..db.models import User
from ..setup.migrate_database import migrate_database
from ..setup.upgrade import upgrade_schema
from .serve import HOST, PORT, add_data_arguments, address, is_loopback, lock_data

STOP_FIRST = "stop it first (Ctrl-C or SIGTERM), then run this again"


def main(argv: list[str]) -> int:
    """Run a command; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except CannotStart as error:
        print(f"losswise server-admin: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="losswise server-admin", description="Administer a server.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    link = commands.add_parser("sign-in-link", help="print a link that signs a user in once")
    link.add_argument("email", nargs="?", help="the user (default: the first one)")
    link.add_argument("--url", default=_default_url(), help="the server's address (default: %(default)s)")
    add_data_arguments(link)
    link.set_defaults(run=lambda arguments: print(sign_in_link(arguments)))
    move = commands.add_parser("migrate-database", help="copy the database to an empty PostgreSQL database")
    move.add_argument("--to", required=True, metavar="URL", help="the empty database, postgresql://user@host/name")
    add_data_arguments(move)
    move.set_defaults(run=migrate)
    return parser


def migrate(arguments: argparse.Namespace) -> None:
    """Copy the database, and print how to start the server on the new one."""
    source = load_settings(arguments.data_dir, arguments.database_url)
    lock = lock_data(source, STOP_FIRST) if source.is_sqlite else None
    try:
        migrate_database(source, checked_url(arguments.to), lambda line: print(line, flush=True))
    finally:
        if lock is not None:
            lock.release()
    print(
        "Everything is copied; the old database is unchanged. Start the server with --database-url set to the new "
        f"database and with the same secret, which signs cookies and keys: {_secret_source(source)}"
    )


def _secret_source(settings: Settings) -> str:
    if os.environ.get("LW_SECRET_KEY"):
        return "keep LW_SECRET_KEY"
    folder = settings.data_dir.absolute()
    return f"--data-dir {folder}, or on another machine LW_SECRET_KEY with the content of {folder / 'secret_key'}"


def _default_url() -> str:
    """The address in this user's stored login if it is on this machine, else the server's default address."""
    known = load_login()
    if known is not None and is_loopback(urlsplit(known.base_url).hostname or ""):
        return known.base_url
    return address(HOST, PORT)


def sign_in_link(arguments: argparse.Namespace) -> str:
    """A new link for the user with the given e-mail address. Raises CannotStart if there is none."""
    settings = load_settings(arguments.data_dir, arguments.database_url)
    app = create_app(settings)
    upgrade_schema(app)
    with app.app_context(), writing() as connection:
        table = User.__table__
        query = select(table.c.id).order_by(table.c.id).limit(1)
        if arguments.email:
            query = query.where(table.c.email == arguments.email)
        user_id = connection.execute(query).scalar()
        if user_id is None:
            if arguments.email:
                raise CannotStart(f"there is no user with the e-mail address {arguments.email}")
            place = settings.data_dir if settings.is_sqlite else "this database"
            raise CannotStart(
                f"there are no users in {place} yet; start the server once, or name its folder with --data-dir"
            )
        return f"{arguments.url.rstrip('/')}/sign-in/{new_sign_in_token(connection, user_id)}"
