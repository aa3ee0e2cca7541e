"""The command line: losswise server, demo, login, sync, status, quarantine, server-admin."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from losswise import __version__
from losswise.util.messages import notify

# commands with an argument parser of their own, in packages that may not be installed: module, help, extra
_EXTERNAL = {
    "server": ("losswise_server.cli.serve", "run the server and its dashboard", "server"),
    "server-admin": ("losswise_server.cli.admin", "make a sign-in link, or move the data to PostgreSQL", "server"),
    "demo": ("losswise.demo", "train a small model and watch it", "demo"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments after `losswise`, by default those of this process.

    Returns:
        The exit status: 0 success, 1 failure, 2 wrong usage or a package is not installed.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in _EXTERNAL:
        module, _help, extra = _EXTERNAL[words[0]]
        try:
            run = import_module(module).main
        except ImportError as error:
            missing = f" ({error})" if error.name and not error.name.startswith("losswise") else ""
            notify(f"`losswise {words[0]}` needs more than the client{missing}: pip install 'losswise[{extra}]'")
            return 2
        return int(run(words[1:]) or 0)
    parser = argparse.ArgumentParser(prog="losswise", description="Watch models train.")
    parser.add_argument("--version", action="version", version=f"losswise {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    login = commands.add_parser("login", help="store a server's address and an API key for this user")
    login.add_argument("url", metavar="URL", help="the server's address, such as http://127.0.0.1:3000")
    login.add_argument("--key", help="the API key; by default it is asked for, or read from standard input")
    sync = commands.add_parser("sync", help="send the sessions that could not reach a server")
    status = commands.add_parser("status", help="list the sessions that are not sent")
    for command in (sync, status):
        command.add_argument("folder", metavar="FOLDER", nargs="?", help="of journals, by default the usual one")
    quarantine = commands.add_parser("quarantine", help="list what a server rejected, send it again, or delete it")
    quarantine.add_argument("where", metavar="SESSION|FILE|FOLDER", nargs="?", help="by default the usual folder")
    ways = quarantine.add_mutually_exclusive_group()
    ways.add_argument("--json", dest="as_json", action="store_true", help="list it as JSON")
    ways.add_argument("--send", action="store_true", help="send it again")
    ways.add_argument("--delete", action="store_true", help="delete it")
    quarantine.add_argument("--yes", action="store_true", help="delete without a question")
    for name, (_module, help, _extra) in _EXTERNAL.items():
        commands.add_parser(name, help=help)
    options = vars(parser.parse_args(words))
    name = options.pop("command")
    try:  # `losswise.commands` has a module with a function of the same name for each command
        return int(getattr(import_module(f"losswise.commands.{name}"), name)(**options))
    except KeyboardInterrupt:
        return 130
