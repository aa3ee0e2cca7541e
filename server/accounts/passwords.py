"""Hash and verify passwords with scrypt (Werkzeug's default: n = 2**15, r = 8, p = 1)."""

from __future__ import annotations

from functools import cache

from werkzeug.security import check_password_hash, generate_password_hash


def hash_password(password: str) -> str:
    return generate_password_hash(password)


def verify(password_hash: str | None, password: str) -> bool:
    """Return whether the password is right; False without a hash.

    A hash is computed in both cases, so that the response time does not reveal which users exist.
    """
    return check_password_hash(password_hash or _dummy_hash(), password) and password_hash is not None


@cache
def _dummy_hash() -> str:
    return hash_password("")
