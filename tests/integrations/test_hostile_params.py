"""Params that raise or lie, through the loggers and callbacks: the training goes on, and all other params are there."""

from __future__ import annotations

from typing import Any

import pytest

import losswise
from losswise.integrations import LosswiseKerasCallback, LosswiseLogger
from losswise.integrations.base import branch_options
from tests.client.values.doors import png
from tests.client.values.hostile_leaves import LEAVES, Pairs, omegaconf
from tests.integrations.keras.fits import fit, network
from tests.integrations.lightning.runs import Net, batches, trainer_with
from tests.support.server import Server

NAMES = (
    *("repr raises", "str panics", "getattr raises", "every attribute is itself", "shape lies", "unreadable mapping"),
    *("mapping with a missing value", "endless sequence", "endless iterator", "broken dictionary", "around itself"),
    *("int of 5,000 digits", "40 MB of numbers", "5 MB of text", "metaclass", "dataclass", "namespace of argparse"),
    *("config of OmegaConf", "list of OmegaConf"),
)


def hostile() -> Pairs:
    return Pairs(("good", 1), *((name, LEAVES[name]()) for name in NAMES), ("raises", LookupError("no")))


def assert_all_there(params: dict[str, Any]) -> None:
    assert {"good", "raises", *NAMES} <= params.keys()
    assert (params["good"], params["raises"]) == (1, "<LookupError>")
    assert params["config of OmegaConf"]["bad"] == "<InterpolationKeyError>"


@pytest.mark.parametrize("way", ["logger", "log_hyperparams", "config"])
def test_of_a_logger(watched: Server, way: str) -> None:
    params: Any = omegaconf("config") if way == "config" else hostile()
    logger = LosswiseLogger("hostile", params=params if way != "log_hyperparams" else None)
    if way == "log_hyperparams":
        logger.log_hyperparams(params, metrics=params)
    trainer_with(logger).fit(Net(), batches(), batches())
    session = watched.session(logger.version)
    assert session["status"] == "complete"
    assert session["params"]["learning_rate"] == 0.1
    if way == "config":
        assert session["params"]["bad"] == "<InterpolationKeyError>"
        assert session["params"]["fine"] == 1
    else:
        assert_all_there(session["params"])


@pytest.mark.parametrize("way", ["params", "config"])
def test_of_a_callback(watched: Server, way: str) -> None:
    params: Any = omegaconf("config") if way == "config" else hostile()
    callback = LosswiseKerasCallback("hostile", params=params)
    fit(network(), callback)
    session = watched.session(callback.session.id)
    assert session["status"] == "complete"
    assert session["params"]["optimizer"] == "SGD"
    if way == "config":
        assert session["params"]["bad"] == "<InterpolationKeyError>"
    else:
        assert_all_there(session["params"])


@pytest.mark.parametrize("way", ["pairs", "config"])
def test_of_a_training_that_branches_off(watched: Server, way: str) -> None:
    """Both integrations add to the params that a user gave."""
    given: Any = omegaconf("config") if way == "config" else hostile()
    options = branch_options({"tag": "hostile", "params": given, "info": {"why": "x"}}, "0" * 20, 5)
    with losswise.Session(**options) as session:
        session.log({"loss": 1.0})
    stored = watched.session(session.id)
    assert stored["params"]["branched_from"] == {"session": "0" * 20, "step": 5}
    assert stored["info"].keys() == {"why", "branch"}
    if way == "config":
        assert stored["params"]["bad"] == "<InterpolationKeyError>"
    else:
        assert_all_there(stored["params"])


def test_a_table_and_captions_of_a_logger(watched: Server) -> None:
    silent = LEAVES["repr raises"]()
    logger = LosswiseLogger("hostile")
    logger.log_text("table", columns=["a", silent], data=[[silent, 1], LEAVES["broken list"]()])
    logger.log_text("text", silent)
    logger.log_image(
        "images", [LEAVES["int of 5,000 digits"](), png()], caption=["a", silent], outputs=[None, hostile()]
    )
    logger.finalize("success")
    session = watched.session(logger.version)
    texts = {text["name"]: text["text"] for text in session["texts"]}
    assert "| <Hostile: RuntimeError> | 1 |" in texts["table"]
    assert "| 1 | 2 |" in texts["table"]
    assert texts["text"] == "<Hostile: RuntimeError>"
    [image] = session["images"]
    assert image["outputs"]["caption"] == "<Hostile: RuntimeError>"
    assert image["outputs"]["good"] == 1
