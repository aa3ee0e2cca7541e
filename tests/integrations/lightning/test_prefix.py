"""The user's own choice of graphs where the logger has a prefix."""

from __future__ import annotations

import pytest

pytest.importorskip("lightning")

from losswise.arguments import checked_graphs
from losswise.integrations.lightning.prefix import prefixed
from losswise.naming import GraphChoice, graph_for


def test_own_graphs_with_a_prefix() -> None:
    own = {"my_score": ("quality", "max"), "val_loss": ("validation", "min"), "x": "accuracy"}
    graphs = checked_graphs(prefixed(own, "fold1"))
    assert graph_for("fold1/my_score", graphs) == GraphChoice("fold1/quality", "max")
    assert graph_for("fold1/val_my_score", graphs) == GraphChoice("fold1/quality", "max")
    assert graph_for("fold1/my_score_epoch", graphs) == GraphChoice("fold1/quality", "max")
    assert graph_for("fold1/val_loss", graphs) == GraphChoice("fold1/validation", "min")
    assert graph_for("fold1/train_loss", graphs) == GraphChoice("fold1/loss", "min")
    assert graph_for("fold1/x", graphs) == GraphChoice("fold1/accuracy", "max")


def test_a_prefix_that_is_a_stage() -> None:
    graphs = checked_graphs(prefixed({"my_score": ("quality", "max")}, "val"))
    assert graph_for("val/my_score", graphs) == GraphChoice("quality", "max")


def test_a_choice_for_a_name_with_the_prefix_wins() -> None:
    graphs = checked_graphs(prefixed({"b": ("c", None), "a/b": ("d", None)}, "a"))
    assert graph_for("a/b", graphs) == GraphChoice("d", None)


def test_without_choices_or_a_prefix() -> None:
    assert prefixed(None, "a") == {}
    assert prefixed({"b": ("c", None)}, "") == {"b": ("c", None)}
