"""Reading what clients send: JSON within bounds, compressed or not, and text that every database stores."""

from __future__ import annotations

import json
import zlib
from typing import Any

import msgspec

from losswise.protocol.limits import INT64_MAX, INT64_MIN
from losswise.protocol.numbers import encode_number
from losswise.protocol.records import storable_text


class MalformedBody(ValueError):
    """A body that is not JSON (or not gzip); the message says where."""


class TooLarge(ValueError):
    """A body over the bound."""


def unpacked_size(body: bytes) -> int:
    """The length of the text that a gzip body says it holds, in its last four bytes (RFC 1952, ISIZE)."""
    return int.from_bytes(body[-4:], "little")


def gunzip(body: bytes, most: int) -> bytes:
    """The decompressed body, of at most `most` bytes.

    Raises TooLarge where it is longer, MalformedBody where it is not gzip or not as long as it says. Nothing beyond
    the smaller of the two is decompressed.
    """
    said = unpacked_size(body)
    stream = zlib.decompressobj(wbits=31)
    try:
        text = stream.decompress(body, min(said, most) + 1)
    except zlib.error as error:
        raise MalformedBody(f"the body says gzip and is not: {error}") from None
    if len(text) > most:
        raise TooLarge(f"the body is larger than {most} bytes when decompressed")
    if not stream.eof or len(text) != said:
        raise MalformedBody("the gzip body ends too early, or does not have the length that it says")
    return text


def strict(body: bytes) -> Any:
    """The value of a JSON text, without NaN tokens (protocol v2 writes them as texts)."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return storable(_patient(body, _refuse_token))
    return storable(value) if may_hold_unstorable_text(body) else value


def lenient(body: bytes) -> Any:
    """The value of a JSON text as v1 clients write it: their bare NaN and Infinity tokens become our texts."""
    return storable(_patient(body, str))


def _patient(body: bytes, parse_constant: Any) -> Any:
    try:
        return json.loads(body, parse_constant=parse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedBody(f"the body is not JSON: {str(error)[:200] or 'nested too deeply'}") from None


def _refuse_token(token: str) -> Any:
    raise ValueError(f"{token} is not JSON; write it as a text")


def may_hold_unstorable_text(body: bytes) -> bool:
    """Whether there may be a character that not every database stores."""
    return b"\\u0000" in body or b"\\ud" in body or b"\\uD" in body


def storable(value: Any) -> Any:
    """The value with what PostgreSQL or JSON cannot store replaced: NUL and lone surrogates in texts, whole
    numbers over 64 bits, floats that overflowed."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, float):
        return encode_number(value)
    if type(value) is int and not INT64_MIN <= value <= INT64_MAX:
        return float(value) if abs(value) < 2**1023 else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    return value
