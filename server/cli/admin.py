"""`losswise server-admin`: what the person who runs the server does on its machine."""

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
    parser = argparse.ArgumentParser(prog="losswise server-admin", description="Look after a server.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    link = commands.add_parser("sign-in-link", help="print a link that signs a person in once")
    link.add_argument("email", nargs="?", help="the person (default: the first, who made the server)")
    link.add_argument("--url", default=_usual_address(), help="the server's address (default: %(default)s)")
    add_data_arguments(link)
    link.set_defaults(run=lambda arguments: print(sign_in_link(arguments)))
    move = commands.add_parser("migrate-database", help="copy everything to an empty PostgreSQL database")
    move.add_argument("--to", required=True, metavar="URL", help="the empty database, postgresql://...")
    add_data_arguments(move)
    move.set_defaults(run=migrate)
    return parser


def migrate(arguments: argparse.Namespace) -> None:
    """Copy the database, and say how the server is started on the new one."""
    source = load_settings(arguments.data_dir, arguments.database_url)
    lock = lock_data(source, STOP_FIRST) if source.sqlite else None
    try:
        migrate_database(source, checked_url(arguments.to), lambda line: print(line, flush=True))
    finally:
        if lock is not None:
            lock.release()
    print(
        "Everything is copied; the old database is as it was. Start the server with --database-url and the new "
        f"database's address, and with the same secret, which signs cookies and keys: {_secret_place(source)}"
    )


def _secret_place(settings: Settings) -> str:
    if os.environ.get("LW_SECRET_KEY"):
        return "LW_SECRET_KEY as it is now"
    folder = settings.data_dir.absolute()
    return f"--data-dir {folder}, or on another machine LW_SECRET_KEY with what is in {folder / 'secret_key'}"


def _usual_address() -> str:
    """That of this user's stored login, which a server on this machine stores at its first start."""
    known = load_login()
    if known is not None and is_loopback(urlsplit(known.base_url).hostname or ""):
        return known.base_url
    return address(HOST, PORT)


def sign_in_link(arguments: argparse.Namespace) -> str:
    """A new link for the person with this e-mail address."""
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
            place = settings.data_dir if settings.sqlite else "this database"
            hint = "start the server once, or name its own folder with --data-dir"
            who = f"with the address {arguments.email}" if arguments.email else f"yet in {place}: {hint}"
            raise CannotStart(f"there is nobody {who}")
        return f"{arguments.url.rstrip('/')}/sign-in/{new_sign_in_token(connection, user_id)}"
