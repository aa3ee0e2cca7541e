"""The command line: losswise server, demo, login, sync, status, server-admin."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from importlib import import_module

from losswise import __version__

_ELSEWHERE = {
    "server": ("losswise_server.cli.serve", "run the server and its dashboard", "server"),
    "server-admin": ("losswise_server.cli.admin", "look after a server's people, keys and data", "server"),
    "demo": ("losswise.demo", "train a small model and watch it", "demo"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the words after `losswise`; else those of this process.

    Returns:
        The exit status: 0 done, 1 not done, 2 asked for wrongly or something is not installed.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in _ELSEWHERE:
        return _elsewhere(words[0], words[1:])
    arguments = _parser().parse_args(words)
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="losswise", description="Watch models train.")
    parser.add_argument("--version", action="version", version=f"losswise {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    login = commands.add_parser("login", help="store a server's address and a key for it, for this user")
    login.add_argument("url", metavar="URL", help="the server's address, such as http://127.0.0.1:3000")
    login.add_argument("--key", help="the API key; else it is asked for, or read from standard input")
    login.set_defaults(run=_login)

    sync = commands.add_parser("sync", help="send what sessions left behind that could not reach a server")
    sync.add_argument("folder", metavar="FOLDER", nargs="?", help="of journals; else the one they go to")
    sync.set_defaults(run=_sync)

    status = commands.add_parser("status", help="list the sessions that are not sent")
    status.add_argument("folder", metavar="FOLDER", nargs="?", help="of journals; else the one they go to")
    status.set_defaults(run=_status)

    for name, (_module, help, _extra) in _ELSEWHERE.items():
        commands.add_parser(name, help=help, add_help=False)
    return parser


def _login(arguments: argparse.Namespace) -> int:
    """Ask for the key, check it with the server, and store it."""
    from losswise.delivery.client import Wire
    from losswise.settings import check_base_url
    from losswise.util.credentials import store_login

    try:
        address = check_base_url(arguments.url if "://" in arguments.url else f"http://{arguments.url}")
    except ValueError as error:
        return _complain(str(error))
    key = arguments.key or _ask_for_key(address)
    if not key:
        return _complain("no key was given; the server's quickstart page shows one")
    answer = Wire(address, key).get("/api/v2/me", timeout=10.0)
    if answer.status in (401, 403):
        return _complain(f"{address} does not accept this key ({answer.error or answer.problem})")
    if answer.status != 200 or "organization" not in answer.body:
        return _complain(_no_server(address, answer.error or answer.problem))
    try:
        path = store_login(address, key)
    except OSError as error:
        return _complain(f"the login cannot be stored ({error})")
    project = (answer.body.get("project") or {}).get("name")
    print(f"{address} accepts the key{f' for the project {project!r}' if project else ''}; stored in {path}")
    return 0


def _no_server(address: str, problem: str) -> str:
    """What may be wrong with the address, in words that say what to try."""
    from losswise.delivery.network_errors import NO_HTTPS

    root = re.match(r"https?://[^/]+", address)
    if problem == NO_HTTPS:
        return f"{address} does not speak https; try http://"
    if root and root[0] != address:
        return f"no losswise server answers at {address} ({problem}); try {root[0]}, without what follows it"
    return f"no losswise server answers at {address} ({problem})"


def _ask_for_key(address: str) -> str:
    if sys.stdin is None:
        return ""
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    from getpass import getpass

    return getpass(f"API key for {address}: ").strip()


def _sync(arguments: argparse.Namespace) -> int:
    from losswise.commands.sync import sync

    return sync(arguments.folder)


def _status(arguments: argparse.Namespace) -> int:
    from losswise.commands.status import status

    return status(arguments.folder)


def _complain(sentence: str) -> int:
    print(f"losswise: {sentence}", file=sys.stderr)
    return 1


def _elsewhere(word: str, rest: list[str]) -> int:
    """Commands that live in what may not be installed."""
    module, _help, extra = _ELSEWHERE[word]
    try:
        run = import_module(module).main
    except ImportError as error:
        missing = f" ({error})" if error.name and not error.name.startswith("losswise") else ""
        print(
            f"losswise: `losswise {word}` needs more than the client{missing}: pip install 'losswise[{extra}]'",
            file=sys.stderr,
        )
        return 2
    return int(run(rest) or 0)


if __name__ == "__main__":
    sys.exit(main())
