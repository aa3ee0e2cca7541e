"""`losswise demo`: a server, a link, and a real small model that is seen learning."""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Run the demo until Ctrl-C.

    Args:
        argv: the words after `losswise demo`.

    Returns:
        The exit status: 0 ended by the person, 130 while it was training, 1 the server failed, 2 something
        is not installed.
    """
    from losswise.demo.command import run

    return run(argv)
