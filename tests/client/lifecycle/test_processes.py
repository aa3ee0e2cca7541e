"""Forks and workers around a session that runs, and one session of several processes, on the real server."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.client.conftest import Script
from tests.support.server import Server

Start = Callable[..., Script]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


def run(script: Start, server: Server, code: str) -> tuple[Script, str]:
    """Run the code to its end; it prints the session's id first."""
    started = script(code, LW_BASE_URL=server.url, LW_API_KEY=server.api_key)
    assert started.wait(120) == 0, started.errors
    assert "Traceback" not in started.errors, started.errors
    return started, started.output.split()[0]


def points(server: Server, session: str) -> dict[str, list[int]]:
    """x of all points by name, in order."""
    found: dict[str, list[int]] = {}
    for graph in server.session(session)["graphs"]:
        for name, columns in server.points(graph["id"]).items():
            found[name] = columns["x"]
    return found


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.full)])
def test_workers_of_a_dataloader(server: Server, script: Start, method: str) -> None:
    """They neither send the parent's points again, nor end its session, nor wait for anything."""
    pytest.importorskip("torch")
    code = f"""
        import time
        import torch
        import losswise

        class Data(torch.utils.data.Dataset):
            def __len__(self):
                return 64

            def __getitem__(self, place):
                return torch.tensor(float(place))

        if __name__ == "__main__":
            session = losswise.Session("loader", track_git=False)
            print(session.id, flush=True)
            graph = session.graph("loss")
            step = 0
            for epoch in range(3):
                loader = torch.utils.data.DataLoader(
                    Data(), batch_size=8, num_workers=2, multiprocessing_context="{method}"
                )
                for batch in loader:
                    graph.append(step, {{"loss": batch.mean()}})
                    step += 1
            session.done()
    """
    started, session = run(script, server, code)
    assert points(server, session) == {"loss": list(range(24))}
    assert server.session(session)["status"] == "complete"
    assert started.errors.count("watching at") == 1


def test_a_worker_that_logs_has_a_journal_of_its_own(server: Server, script: Start) -> None:
    pytest.importorskip("torch")
    code = """
        import torch
        import losswise

        session = losswise.Session("workers that log", track_git=False)
        print(session.id, flush=True)

        class Data(torch.utils.data.Dataset):
            def __len__(self):
                return 40

            def __getitem__(self, place):
                session.graph("loading").append(place, {"loaded": float(place)})
                print("worker", place)
                return place

        for batch in torch.utils.data.DataLoader(Data(), batch_size=4, num_workers=2, multiprocessing_context="fork"):
            session.log({"loss": 1.0})
    """
    _, session = run(script, server, code)
    found = points(server, session)
    assert found["loaded"] == list(range(40))
    assert found["loss"] == list(range(10))
    assert server.session(session)["status"] == "complete"
    [console] = [text["text"] for text in server.session(session)["texts"] if text["name"] == "console"]
    for place in range(40):
        assert console.count(f"worker {place}\n") == 1


@pytest.mark.full_on_postgresql
def test_a_fork_in_the_middle_of_everything(server: Server, script: Start) -> None:
    """Threads append, images are encoded, the sender imports `requests`: children must not hang or double."""
    code = """
        import os, threading, time
        import numpy
        import losswise

        session = losswise.Session("forks", track_git=False, system=True)
        print(session.id, flush=True)
        going_on = True

        def work(name):
            graph, x = session.graph(name), 0
            while going_on:
                graph.append(x, {name: float(x)})
                if x % 100 == 0:
                    session.image_sequence(x, "images").append(numpy.full((8, 8), x % 255, "uint8"), name)
                x += 1
                time.sleep(0.001)

        threads = [threading.Thread(target=work, args=(f"thread{n}",)) for n in range(3)]
        for thread in threads:
            thread.start()
        for child in range(20):
            pid = os.fork()
            if not pid:
                session.graph("children").append(child, {"child": float(child)})
                assert session.flush(20.0)
                session.done()
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        going_on = False
        for thread in threads:
            thread.join()
    """
    _, session = run(script, server, code)
    found = points(server, session)
    assert found["child"] == list(range(20))
    for name in ("thread0", "thread1", "thread2"):
        assert found[name] == list(range(len(found[name])))
        assert len(found[name]) > 50
    row = server.session(session)
    assert row["status"] == "complete"
    images = [(image["image_id"], image["x"]) for image in row["images"]]
    assert sorted(images) == sorted(
        (name, x) for name in found if name.startswith("thread") for x in found[name][::100]
    )


def test_several_processes_share_a_session(server: Server, script: Start) -> None:
    code = """
        import multiprocessing
        import losswise

        def work(session_id, number):
            with losswise.Session(resume=session_id, track_git=False) as session:
                for x in range(200):
                    session.graph("loss").append(x, {f"rank{number}": float(x)})

        if __name__ == "__main__":
            session = losswise.Session("shared", track_git=False)
            print(session.id, flush=True)
            session.graph("loss").append(0, {"main": 0.0})
            context = multiprocessing.get_context("spawn")
            children = [context.Process(target=work, args=(session.id, number)) for number in range(3)]
            for child in children:
                child.start()
            for child in children:
                child.join()
                assert child.exitcode == 0
    """
    _, session = run(script, server, code)
    row = server.session(session)
    assert [graph["title"] for graph in row["graphs"]] == ["loss"]
    expected = {f"rank{number}": list(range(200)) for number in range(3)}
    assert points(server, session) == {"main": [0], **expected}
    assert row["status"] == "complete"


def test_resume_takes_back_what_came_after_a_checkpoint(server: Server, script: Start) -> None:
    code = """
        import os, subprocess, sys
        import losswise

        if len(sys.argv) > 1:
            with losswise.Session(resume=sys.argv[1], from_x=60, track_git=False) as session:
                for x in range(60, 120):
                    session.log({"train_loss": -1.0}, x)
            sys.exit()
        session = losswise.Session("crashes", track_git=False)
        print(session.id, flush=True)
        for x in range(100):
            session.log({"train_loss": float(x)}, x)
        session.flush()
        subprocess.run([sys.executable, sys.argv[0], session.id], check=True)
        os._exit(0)  # as a crash: without a word
    """
    _, session = run(script, server, code)
    row = server.session(session)
    [graph] = row["graphs"]
    columns = server.points(graph["id"])["train_loss"]
    assert columns["x"] == list(range(120))
    assert columns["y"] == [float(x) for x in range(60)] + [-1.0] * 60
    assert row["stats"]["train_loss"]["count"] == 120
    assert row["stats"]["train_loss"]["max"] == 59.0


RECORDS = {
    "nothing": "pass",
    "points": "graph.append(number, {'worker': 1.0})",
    "log": "session.log({'train_loss': 1.0})",
    "values": "session.set_values({'worker': number})",
    "texts": "session.text('notes', 'of a worker')",
    "params": "session.params['worker'] = number",
    "images": "session.image_sequence(0, 'shown').append([[0.5]], 'a')",
}


@pytest.mark.full_on_postgresql
@pytest.mark.parametrize(
    "records", [pytest.param(kind, marks=() if kind in ("nothing", "log") else pytest.mark.full) for kind in RECORDS]
)
def test_a_session_that_a_spawned_workers_import_made_records_nothing_and_says_so(
    own_server: Server, script: Start, records: str
) -> None:
    code = f"""
        import multiprocessing
        import losswise

        session = losswise.Session("one", track_git=False, params={{"rate": 1}})
        print(session.id, flush=True)
        session.params["more"] = 2
        session.max_iter = 3
        session.set_values({{"cell": 1}})
        session.text("notes", "at the top")
        graph = session.graph("loss")
        graph.append(0, {{"top": 1.0}})
        session.log({{"val_loss": 1.0}})

        def work(number):
            for _ in range(3):
                {RECORDS[records]}
            assert session.flush() is {records == "nothing"}

        if __name__ == "__main__":
            graph.append(0, {{"main": 1.0}})
            children = [multiprocessing.get_context("spawn").Process(target=work, args=(n,)) for n in range(2)]
            for child in children:
                child.start()
            for child in children:
                child.join()
                assert child.exitcode == 0
    """
    started, session = run(script, own_server, code)
    [row] = own_server.get("/api/v2/sessions")["sessions"]
    assert (row["id"], row["status"], row["points"]) == (session, "complete", 3)
    lines = [line for line in started.errors.splitlines() if "watching at" not in line]
    if records == "nothing":
        assert lines == []
    else:
        assert len(lines) == 2  # one of each worker
        assert all("records nothing into the sessions made there" in line for line in lines)
