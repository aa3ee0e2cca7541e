"""Format sizes in bytes for people."""

from __future__ import annotations


def bound_text(bound: float) -> str:
    """A bound in the unit in which somebody has given it: 500 MB, 2 GiB."""
    for factor, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if bound % factor == 0:
            return f"{bound // factor} {unit}"
    return size_text(bound)


def size_text(size: float) -> str:
    """A number of bytes as a person reads it.

    >>> size_text(900), size_text(2 * 1024**3)
    ('900 bytes', '2 GiB')
    """
    if size < 1024:
        return f"{size:.0f} bytes"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.3g} {unit}"
    return f"{size / 1024:.3g} TiB"
