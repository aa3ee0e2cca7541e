"""Remove credentials from URLs."""

from __future__ import annotations


def without_user(address: str) -> str:
    """A git address without the user name and password that it may hold.

    >>> without_user("https://me:secret@example.com/repo.git")
    'https://example.com/repo.git'
    >>> without_user("git@example.com:team/repo.git")
    'example.com:team/repo.git'
    """
    scheme, is_url, rest = address.partition("://")
    if is_url:
        authority, _slash, _path = rest.partition("/")
        _host, colon, port = authority.rpartition("@")[2].partition(":")
        if colon and not port.isdigit():  # no port, so a password with a slash in it
            return f"{scheme}://{rest.rpartition('@')[2]}"
        return f"{scheme}://{rest[len(authority.rpartition('@')[0]) :].removeprefix('@')}"
    before, at, after = address.partition("@")
    return after if at and "/" not in before else address
