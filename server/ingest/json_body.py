"""Read request bodies: JSON within limits, compressed or not, and text that both databases can store."""

from __future__ import annotations

import json
import zlib
from typing import Any

import msgspec

from losswise.protocol.limits import MAX_JSON_DEPTH
from losswise.protocol.records import encode_number, storable_text

from ..db.json_depth import cut_nesting, int64_or_float

# of a whole body, so that what is in its records still counts as nested too deeply
MAX_BODY_DEPTH = MAX_JSON_DEPTH + 20
# of a body that is nested too deeply for a decoder: it is searched for brackets, which takes a second
MAX_CUT_BYTES = 4 * 1024 * 1024


INT_TOO_LONG = "integer string conversion"  # Python refuses to read integers of thousands of digits


class MalformedBody(ValueError):
    """A body that is not JSON, or not gzip; the message says where."""


class TooLarge(ValueError):
    """A body over the limit."""


def unpacked_size(body: bytes) -> int:
    """The decompressed size that a gzip body claims, in its last four bytes (RFC 1952, ISIZE)."""
    return int.from_bytes(body[-4:], "little")


def gunzip(body: bytes, most: int) -> bytes:
    """The decompressed body, of at most `most` bytes.

    Raises TooLarge where it is longer, MalformedBody where it is not gzip or not as long as it says. Nothing beyond
    the smaller of the two is decompressed.
    """
    claimed = unpacked_size(body)
    stream = zlib.decompressobj(wbits=31)
    try:
        text = stream.decompress(body, min(claimed, most) + 1)
    except zlib.error as error:
        raise MalformedBody(f"the body is not gzip, although its header says so: {error}") from None
    if len(text) > most:
        raise TooLarge(f"the body is larger than {most} bytes when decompressed")
    if not stream.eof or len(text) != claimed:
        raise MalformedBody("the gzip body is truncated, or its length is wrong")
    return text


def strict(body: bytes) -> Any:
    """Decode JSON without bare NaN tokens, which protocol v2 writes as strings. Raises MalformedBody.

    Parts that are nested too deeply for a decoder become their text; raises TooLarge if the body is too large for that.
    So does `lenient`.
    """
    try:
        value = msgspec.json.decode(body)
        return storable(value) if may_hold_unstorable_text(body) else value
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _decode(body, _reject_token)


def lenient(body: bytes) -> Any:
    """Decode JSON as v1 clients write it: their bare NaN and Infinity tokens become strings. Raises MalformedBody."""
    return _decode(body, str)


def _decode(body: bytes, parse_constant: Any) -> Any:
    """Decode by the standard library, which unlike msgspec accepts NaN tokens and overflowing numbers."""
    try:
        try:
            return storable(json.loads(body, parse_constant=parse_constant))
        except (ValueError, RecursionError) as error:
            if not isinstance(error, RecursionError) and INT_TOO_LONG not in str(error):
                raise
        if len(body) > MAX_CUT_BYTES:
            raise TooLarge(f"a body of {len(body)} bytes that is nested too deeply; the limit is {MAX_CUT_BYTES}")
        body = cut_nesting(body, MAX_BODY_DEPTH)
        return storable(json.loads(body, parse_constant=parse_constant, parse_int=_int_of_any_length))
    except TooLarge:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedBody(f"the body is not JSON: {str(error)[:200] or 'nested too deeply'}") from None


def _int_of_any_length(text: str) -> int | float:
    return int(text) if len(text) < 1_000 else float(text)


def _reject_token(token: str) -> Any:
    raise ValueError(f"{token} is not JSON; write it as a string")


def may_hold_unstorable_text(body: bytes) -> bool:
    """Return whether the JSON may hold a NUL character or a lone surrogate, both of which it has to escape."""
    return b"\\u0000" in body or b"\\ud" in body or b"\\uD" in body


def storable(value: Any) -> Any:
    """The decoded JSON with what PostgreSQL cannot store replaced.

    That is NUL and lone surrogates in strings, integers over 64 bits, and floats that have overflowed.
    """
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, float):
        return encode_number(value)
    if type(value) is int:
        return int64_or_float(value)
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    return value
