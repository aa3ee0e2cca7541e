"""Passwords, hashed with scrypt (Werkzeug's default: n = 2**15, r = 8, p = 1)."""

from __future__ import annotations

from functools import cache

from werkzeug.security import check_password_hash, generate_password_hash


def hash_password(password: str) -> str:
    return generate_password_hash(password)


def verify(password_hash: str | None, password: str) -> bool:
    """Whether the password is right. Takes as long where there is no such person, so that the time tells nothing."""
    return check_password_hash(password_hash or _nobody(), password) and password_hash is not None


@cache
def _nobody() -> str:
    return hash_password("")
