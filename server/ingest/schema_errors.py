"""What is wrong with a record, in a sentence: msgspec's messages are about its types and paths.

The sentences name fields and limits, never what a record has in them, so that records with the same mistake are counted
as one kind of refusal.
"""

from __future__ import annotations

import re

_PLACE = re.compile(r"(?P<key>`key` in )?`\$\.?(?P<path>[\w.\[\]]*)`")
_TYPE = re.compile(r"Expected `(?P<wanted>[a-z| ]+)`(?:, got `(?P<found>\w+)`)?")
_LENGTH = re.compile(r"Expected `(?P<type>\w+)` of length <= (?P<limit>\d+)")
_RANGE = re.compile(r"Expected `(?P<type>\w+)` (?P<how>[<>]=) (?P<limit>\S+)")
_PATTERN = re.compile(r"Expected `str` matching regex '.*\{(?P<digits>\d+)\}")
_MISSING = re.compile(r"Object missing required field `(?P<field>\w+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`")

_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_BITS_64 = str(2**63 - 1)


def sentence(message: str) -> str:
    """A sentence for msgspec's message about one record or a batch.

    Example:
        >>> sentence("Expected `int`, got `str` - at `$.x[0]`")
        "a value of 'x' must be a whole number, not text"
        >>> sentence("Expected `str` of length <= 500 - at `key` in `$.y`")
        "a name in 'y' has at most 500 characters"
        >>> sentence("Object missing required field `graph`")
        "'graph' is missing"
    """
    problem, _, where = message.rpartition(" - at ")
    place = _PLACE.fullmatch(where)
    if place is None:
        problem = message
    field, *rest = re.split(r"\.|(?=\[)", place["path"]) if place else [""]
    while rest and not rest[0].startswith("["):  # a field of a field
        field = rest.pop(0)
    subject = f"'{field}'" if field else "it"
    if place and place["key"]:
        subject = f"a name in {subject}"
    elif rest:
        subject = f"a value of {subject}"
    if found := _LENGTH.match(problem):
        unit = {"object": "names", "array": "entries"}.get(found["type"], "characters")
        return f"{subject} has at most {int(found['limit']):,} {unit}"
    if found := _PATTERN.match(problem):
        return f"{subject} must be {found['digits']} hexadecimal digits"
    if found := _RANGE.match(problem):
        return f"{subject} {_range(found['how'], found['limit'])}"
    if found := _TYPE.match(problem):
        wanted = _wanted(found["wanted"])
        other = "a fraction" if found["found"] == "float" and wanted == _TYPES["int"] else _TYPES.get(found["found"])
        return f"{subject} must be {wanted}" + (f", not {other}" if other else "")
    if found := _MISSING.match(problem):
        return f"'{found['field']}' is missing"
    if found := _UNKNOWN.match(problem):
        return f"there is no field {found['field'][:40]!r}" + (f" in {subject}" if field else "")
    if problem.startswith("Invalid enum value"):
        is_number = field in ("y", "metrics")
        return f"{subject} must be a number, not text" if is_number else f"{subject} has an unknown value"
    if problem.startswith("Invalid value"):
        return "there is no such type of record"
    if problem.startswith("Number out of range"):
        return f"{subject} must be a number of 64 bits"
    return problem


def _wanted(types: str) -> str:
    """The types of a union in words. Null is not named: a field that may be null may be left out."""
    names = [name for name in types.split(" | ") if name != "null"]
    if "float" in names:  # the texts that a number may be are "NaN" and infinities
        names = ["float"]
    return " or ".join(_TYPES.get(name, name) for name in names)


def _range(how: str, limit: str) -> str:
    if limit == _BITS_64 or limit == f"-{2**63}":
        return "must fit in 64 bits"
    number = float(limit)
    words = f"{number:,.0f}" if number.is_integer() else limit
    return f"must be at {'least' if how == '>=' else 'most'} {words}"
