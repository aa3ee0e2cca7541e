"""Send batches to a server as a client does."""

from __future__ import annotations

import time
from typing import Any

from losswise.protocol import records
from tests.support.server import Server


class Writing:
    """A writer of one session that numbers its records, and fails the test if a batch is rejected."""

    def __init__(self, server: Server, session: str | None = None, **fields: Any) -> None:
        self.server = server
        self.session = session or records.new_id()
        self.writer = records.new_id()
        self.seq = 0
        self.send(records.session_record(**{"tag": "test", "created_at": time.time(), **fields}))

    def send(self, *batch: dict[str, Any], **fields: Any) -> int:
        self.seq += len(batch)
        answer = self.server.post_batch(self.session, list(batch), writer=self.writer, seq=self.seq, **fields)
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text[:500]}"
        return int(answer.json()["last"])

    def graph(self, title: str = "loss", kind: str | None = "min") -> str:
        id_ = records.graph_id(self.session, title)
        self.send(records.graph_record(id_, title, kind=kind))
        return id_

    def points(self, graph: str, x: list[int], t: list[float] | None = None, **y: list[Any]) -> None:
        self.send(records.points_record(graph, x, t or [time.time()] * len(x), y))

    def end(self, status: str = "complete", **fields: Any) -> None:
        self.send(records.status_record(status, fields.pop("t", time.time()), **fields))

    def row(self) -> Any:
        return self.server.session(self.session)
