"""Values are bounded in depth and size of their integers, the same whether or not the short way can tell."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from losswise_server.db import json_depth
from losswise_server.db.json_depth import TooDeep, bounded

INTEGERS = st.one_of(st.integers(), st.integers(2**63 - 3, 2**63 + 3), st.integers(-(2**63) - 3, -(2**63) + 3))
TEXTS = st.text(st.sampled_from('[]{}"\\a1é'), max_size=30)
VALUES: Any = st.recursive(
    st.one_of(st.none(), st.booleans(), INTEGERS, st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)


def outcome(function: Any, *arguments: Any) -> str:
    try:
        return repr(function(*arguments))
    except TooDeep:
        return "too deep"


@given(value=VALUES, depth=st.integers(0, 5), cut=st.booleans())
def test_what_is_returned(value: Any, depth: int, cut: bool) -> None:
    assert outcome(bounded, value, depth, cut) == outcome(json_depth._bounded, value, depth, cut)


@pytest.mark.parametrize("shape", ["[" * 40 + "]" * 40, '{"a":' * 40 + "1" + "}" * 40, '["[[[[[["]'])
@pytest.mark.parametrize("depth", [1, 39, 40, 41, 64])
def test_each_level_counts(shape: str, depth: int) -> None:
    value = json_depth.decode_stored(shape)
    assert outcome(bounded, value, depth) == outcome(json_depth._bounded, value, depth, False)


@pytest.mark.parametrize("value", [{"a": [1, 0.5, None, True, "x"]}, {"[{": ['"}', "\\"]}, [2**59], {"a": {"b": []}}])
def test_the_short_way_is_taken(value: Any) -> None:
    assert json_depth._is_bounded(value, 3)


@pytest.mark.parametrize("text", [b"\\\\", b'"",', b'\\"'])
def test_texts_of_any_kind_take_little_memory(text: bytes) -> None:
    code = f"""
        import resource
        from losswise_server.db.json_depth import cut_nesting, without_strings
        text = b'"' + {text!r} * ({8 * 1024 * 1024} // {len(text)}) + b'"[[1]]'
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert b"[[1]]" in without_strings(text) or text.count(b'"') % 2 == 0
        cut_nesting(text[:4 * 1024 * 1024], 1)
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 120
