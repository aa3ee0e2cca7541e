"""Format sizes in bytes for people."""

from __future__ import annotations


def size_text(size: float) -> str:
    """A number of bytes: in decimal units if it is a whole number of them, else in binary units with three digits.

    >>> size_text(900), size_text(500 * 10**6), size_text(2 * 1024**3)
    ('900 bytes', '500 MB', '2 GiB')
    """
    if size < 1_024:
        return f"{size:.0f} bytes"
    for factor, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size % factor == 0 and size < 1_000 * factor:
            return f"{size // factor:.0f} {unit}"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.3g} {unit}"
    return f"{size / 1024:.3g} TiB"
