"""A project with many sessions, stored as the server itself would have stored them.

A few are written over HTTP; the others are copies of those rows with numbers, names and times of their own, written
into the tables in bulk.
"""

from __future__ import annotations

import random
import time
from typing import Any

from losswise_server.db.models import Graph, Session
from losswise_server.ingest.session_state import search_text
from sqlalchemy import Connection, insert, select, text

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.database.tables import adding
from tests.support.server import Server

PROJECT = "many sessions"
GRAPHS: dict[str, tuple[str, list[str]]] = {
    "loss": ("min", ["train_loss", "val_loss", "test_loss", "aux_loss", "kl_loss"]),
    "accuracy": ("max", ["train_accuracy", "val_accuracy", "test_accuracy", "top5_accuracy", "ema_accuracy"]),
    "gradients": ("max", ["grad_norm", "grad_max", "weight_norm", "update_ratio", "clipped"]),
    "system": ("min", ["samples_per_second", "gpu_memory", "gpu_util", "cpu_util", "data_wait"]),
}
STATUSES = ("complete", "complete", "complete", "failed", "cancelled", "active", "silent", "complete")
MODELS = ("resnet18", "resnet50", "vit-small", "convnext-tiny", "mixer", "unet")
RARE = "zirconium"
CHUNK = 500
FAR = 86_400.0
"""Seconds by which an active session is ahead of the clock, so that it is not silent before the measuring ends."""


def make_sessions(server: Server, count: int) -> None:
    """Fill PROJECT with so many sessions of 20 statistics each: all statuses, some silent, some without a value."""
    models = [_send(server, status) for status in STATUSES]
    with adding(server) as (_, connection):
        _copy(connection, models, count - len(models))
    with adding(server) as (_, connection):
        if connection.dialect.name == "postgresql":
            connection.execute(text("ANALYZE"))  # as the database itself does by and by


def _send(server: Server, status: str) -> str:
    """A session that a client writes."""
    writing = Writing(server, project=PROJECT, **_fields(random.Random(status), time.time()))
    for title, (kind, names) in GRAPHS.items():
        graph = writing.graph(title, kind)
        xs = list(range(50))
        writing.points(graph, xs, **{name: [random.random() for _ in xs] for name in names})
    writing.send(records.values_record({"best_epoch": 17, "verdict": "good", "score": 0.5}))
    error = {"error": {"type": "ValueError", "message": "loss is NaN"}} if status == "failed" else {}
    if status in ("complete", "failed", "cancelled"):
        writing.end(status, reason="error" if status == "failed" else None, **error)
    return writing.session


def _fields(chance: random.Random, created_at: float) -> dict[str, Any]:
    model = chance.choice(MODELS)
    return {
        "tag": f"{model}-{chance.randrange(10**6):06}" + (f"-{RARE}" if chance.random() < 0.001 else ""),
        "group": f"sweep-{chance.randrange(40)}",
        "tags": chance.sample(["baseline", "ablation", "augmented", "fp16", "distilled"], 2),
        "max_iter": 10_000,
        "created_at": created_at,
        "params": {
            "model": model,
            "lr": 10 ** chance.uniform(-5, -1),
            "batch_size": chance.choice([32, 64, 128]),
            "optimizer": {"name": chance.choice(["adam", "sgd"]), "weight_decay": chance.random() / 100},
            "seed": chance.randrange(1000),
            "layers": chance.randrange(4, 50),
        },
    }


def _copy(connection: Connection, ids: list[str], count: int) -> None:
    sessions, graphs = Session.__table__, Graph.__table__
    of_models = [dict(connection.execute(select(sessions).where(sessions.c.id == id_)).mappings().one()) for id_ in ids]
    their_graphs = {
        row["key"]: connection.execute(select(graphs).where(graphs.c.session_key == row["key"])).mappings().all()
        for row in of_models
    }
    chance, now, first = random.Random(6), time.time(), max(row["key"] for row in of_models) + 1
    for start in range(0, count, CHUNK):
        rows, copied = [], []
        for number in range(start, min(start + CHUNK, count)):
            at = number % len(STATUSES)
            row = _varied(of_models[at], STATUSES[at], chance, now - 60.0 * (count - number))
            row["key"] = first + number
            rows.append(row)
            for graph in their_graphs[of_models[at]["key"]]:
                id_ = records.graph_id(row["id"], graph["title"])
                copied.append({**graph, "session_key": row["key"], "id": id_})
        connection.execute(insert(sessions), rows)
        connection.execute(insert(graphs), copied)
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT setval(pg_get_serial_sequence('sessions', 'key'), :last)"), {"last": first + count}
        )


def _varied(model: dict[str, Any], status: str, chance: random.Random, created_at: float) -> dict[str, Any]:
    fields = _fields(chance, created_at)
    scale = {name: chance.lognormvariate(0, 1) for _, names in GRAPHS.values() for name in names}
    missing = {name for name in scale if chance.random() < 0.02}
    ended_at = created_at + chance.uniform(100, 20_000)
    row = {
        **model,
        "id": records.new_id(),
        "tag": fields["tag"],
        "group_name": fields["group"],
        "tags": fields["tags"],
        "params": fields["params"],
        "values": {
            "best_epoch": chance.randrange(100),
            "verdict": chance.choice(["good", "bad"]),
            "score": "unknown" if chance.random() < 0.05 else chance.random(),
        },
        "last_x": chance.randrange(10_000),
        "created_at": created_at,
        "updated_at": ended_at,
        "last_seen_at": ended_at,
        "ended_at": ended_at,
        "stats": {name: _scaled(stat, scale[name]) for name, stat in model["stats"].items() if name not in missing},
        "graph_stats": {
            graph: {name: _scaled(stat, scale[name]) for name, stat in stats.items() if name not in missing}
            for graph, stats in model["graph_stats"].items()
        },
    }
    if status == "active":
        row.update(last_seen_at=time.time() + FAR, ended_at=None, eta=time.time() + chance.uniform(10, 10_000))
    elif status == "silent" and chance.random() < 0.1:
        row.update(ended_at=None)
    elif status == "silent":  # and a sweep has found it
        row.update(status="cancelled", reason="silent")
    row["search"] = search_text(row)
    return row


def _scaled(stat: dict[str, Any], scale: float) -> dict[str, Any]:
    return {
        field: value * scale if field in ("min", "max", "last") and isinstance(value, float) else value
        for field, value in stat.items()
    }
