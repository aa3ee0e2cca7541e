"""What every integration needs: wrong arguments are told where they are given."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from losswise.arguments import check_params, check_texts, checked_max_iter, checked_places
from losswise.session import Session


def session_options(
    tag: str | None, params: Mapping[str, Any] | None, max_iter: int | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments of a session that is made later, checked now.

    Raises:
        TypeError, ValueError: `Session` would not take them.
    """
    check_texts(tag=tag)
    check_params(params, "params")
    checked_max_iter(max_iter)
    checked_places(options.get("graphs"))
    inspect.signature(Session).bind(tag=tag, params=params, max_iter=max_iter, **options)
    return {"tag": tag, "params": params, "max_iter": max_iter, **options}
