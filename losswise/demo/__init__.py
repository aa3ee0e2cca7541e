"""`losswise demo`: a server of its own, a sign-in link, and a small model that trains while you watch."""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Run the demo until Ctrl-C.

    Args:
        argv: the arguments after `losswise demo`.

    Returns:
        The exit status: 0 if Ctrl-C ended it after the training, 130 during the training; 1 if the server failed; 2 if
        a package is not installed.
    """
    from losswise.demo.command import run

    return run(argv)
