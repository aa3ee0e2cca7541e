"""Peak memory over LW_MODE=disabled of a script that appends as fast as it can, whatever the network does."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator

from benchmarks.support.measuring import (
    API_KEY,
    DISABLED,
    Result,
    column,
    differences,
    environ_without_server,
    in_child,
    interleaved,
    reaching,
    running_server,
)
from benchmarks.support.process_metrics import peak_memory
from benchmarks.support.report import Row

MIB = 1024 * 1024
BAR = 64


def run(quick: bool) -> list[Row]:
    points, repeats = (100_000, 1) if quick else (3_000_000, 3)

    def case(environ: dict[str, str], seconds: float) -> Result:
        options = {"points": points, "seconds": seconds}
        # how a session ends without a server is not what is measured here
        return in_child("benchmarks.memory:appends", options, environ, patience=0.5)

    after = 3.0 if quick else 15.0
    with running_server() as server, _silent_server() as silent:
        found = interleaved(
            "memory",
            {
                "disabled": lambda: case(DISABLED, 0.0),
                "healthy server": lambda: case(reaching(server), 120.0),
                "no server": lambda: case(environ_without_server(), after),
                "a server that never answers": lambda: case(silent, after),
            },
            repeats,
        )
    if not all(result["is_sent"] for result in found["healthy server"]):
        raise RuntimeError("the server did not take everything")
    base = column(found.pop("disabled"), "peak", 1 / MIB)
    return [
        Row(
            f"peak over disabled: {name}",
            "MiB",
            added := differences(column(results, "peak", 1 / MIB), base),
            "peak when disabled",
            base,
            f"≤ {BAR} MiB",
            max(added) <= BAR,
            {"runs": results},
        )
        for name, results in found.items()
    ]


@contextlib.contextmanager
def _silent_server() -> Iterator[dict[str, str]]:
    """Environment of a script whose server takes connections and never says a word."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        listening.settimeout(0.2)
        is_over = threading.Event()

        def accept() -> None:
            while not is_over.is_set():
                with contextlib.suppress(TimeoutError):
                    held.append(listening.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield {"LW_BASE_URL": f"http://127.0.0.1:{listening.getsockname()[1]}", "LW_API_KEY": API_KEY}
        finally:
            is_over.set()
            thread.join()
            for connection in held:
                connection.close()


# in the measured process


def appends(points: int, seconds: float) -> Result:
    """Append so many points, then let the client go on with them for so long at most."""
    from losswise import Session

    session = Session("memory", track_git=False, command_line=False)
    graph = session.graph("loss")
    loss, started = 0.5, time.perf_counter()
    for x in range(points):
        graph.append(x, {"train_loss": loss, "val_loss": loss})
        loss *= 0.999999
    looped, peak_of_loop = time.perf_counter() - started, peak_memory()
    is_sent = session.flush(seconds)
    return {"peak": peak_memory(), "peak_of_loop": peak_of_loop, "seconds_of_loop": looped, "is_sent": is_sent}


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("memory",)))
