"""The arguments of the integrations that are passed on to Session, as type checkers and other tools see them."""

from __future__ import annotations

import inspect
import os
import typing
from typing import Any

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")

import losswise
from losswise.integrations import LosswiseKerasCallback, LosswiseLogger
from losswise.integrations.base import CallbackOptions, LoggerOptions


@pytest.mark.parametrize(
    ("integration", "options"), [(LosswiseKerasCallback, CallbackOptions), (LosswiseLogger, LoggerOptions)]
)
def test_every_argument_of_a_session_is_one_of_an_integration(integration: Any, options: Any) -> None:
    own = inspect.signature(integration).parameters
    assert own["options"].kind is inspect.Parameter.VAR_KEYWORD
    assert own.keys().isdisjoint(options.__annotations__), "type checkers refuse what is there twice"
    taken = own.keys() | options.__annotations__.keys()
    assert inspect.signature(losswise.Session).parameters.keys() <= taken


@pytest.mark.parametrize("integration", [LosswiseKerasCallback, LosswiseLogger])
def test_annotations_can_be_evaluated(integration: Any) -> None:
    """As command line tools do that make arguments of a constructor's."""
    assert "tag" in typing.get_type_hints(integration.__init__)
