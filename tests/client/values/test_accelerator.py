"""What lies on a GPU: nothing waits for it, and what was logged is what it was then. Where there is no GPU, skipped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import losswise
from losswise.capture.system import SystemMonitor
from tests.client.fake_server import FakeServer
from tests.support.server import eventually

torch = pytest.importorskip("torch")
if not torch.cuda.is_available():
    pytest.skip("there is no NVIDIA GPU here", allow_module_level=True)

BUSY = 1.5
"""Seconds that the GPU is kept busy."""


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """The first use of a GPU takes seconds, and that of each of its functions waits for what runs there."""
    (torch.full((), 0.5, device="cuda", requires_grad=True) * 2).detach().clone().item()


@pytest.fixture(autouse=True)
def unwatched() -> Iterator[None]:
    yield
    torch.cuda.set_sync_debug_mode("default")


def keep_busy(seconds: float = BUSY) -> Callable[[], bool]:
    """Queue work on the current stream; tells whether it is still at it."""
    cycles = int(seconds * 1.0e9)
    while cycles > 0:  # the longest sleep is a 32-bit number of cycles
        torch.cuda._sleep(min(cycles, 1_000_000_000))
        cycles -= 1_000_000_000
    event = torch.cuda.current_stream().record_event()
    return lambda: not event.query()


def took(action: Callable[[], Any]) -> float:
    """Seconds of the action. Raises where it makes the GPU's queue be waited for."""
    torch.cuda.set_sync_debug_mode("error")
    began = time.perf_counter()
    try:
        action()
    finally:
        spent = time.perf_counter() - began
        torch.cuda.set_sync_debug_mode("default")
    return spent


def test_a_point_on_a_busy_gpu_is_not_waited_for(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False) as session:
        graph = session.graph("loss")
        graph.append(0, {"a": 0.0, "b": 0.0})
        is_busy = keep_busy()
        loss = torch.full((), 0.5, device="cuda", requires_grad=True)

        def log() -> None:
            for x in range(1, 101):
                graph.append(x, {"a": loss * x, "b": float(x)})
                session.log({"c": loss * x}, x)

        spent = took(log)
        assert is_busy()
        assert spent < BUSY / 4
        for x in range(101, 201):  # plain numbers do not wait for those behind which they come
            graph.append(x, {"b": float(x)})
    assert recorder.points("a")[1:] == [(x, 0.5 * x) for x in range(1, 101)]
    assert [x for x, _y in recorder.points("b")] == list(range(201))
    assert recorder.points("c") == [(x, 0.5 * x) for x in range(1, 101)]


def test_what_is_overwritten_afterwards_was_kept(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False) as session:
        graph = session.graph("loss")
        total = torch.zeros((), device="cuda")
        keep_busy(0.5)
        for x in range(50):
            total += 1
            graph.append(x, {"a": total})
        total.fill_(-1.0)
    assert recorder.points("a") == [(x, x + 1.0) for x in range(50)]


@pytest.mark.parametrize("how", ["append", "log", "x"])
def test_a_stream_of_its_own_is_waited_for_behind_the_scenes(recorder: FakeServer, how: str) -> None:
    with losswise.Session(track_git=False) as session:
        value = torch.zeros((), device="cuda")
        torch.cuda.synchronize()
        with torch.cuda.stream(torch.cuda.Stream()):
            keep_busy()
            value += 3.0

            def log() -> None:
                if how == "append":
                    session.graph("loss").append(3, {"a": value})
                elif how == "log":
                    session.log({"a": value}, 3)
                else:
                    session.graph("loss").append(value, {"a": 3.0})

            assert took(log) < BUSY / 4
    assert recorder.points("a") == [(3, 3.0)]


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64", "int64", "bool"])
def test_every_kind_of_number(recorder: FakeServer, kind: str) -> None:
    with losswise.Session(track_git=False) as session:
        session.graph("loss").append(0, {"a": torch.ones((1, 1), dtype=getattr(torch, kind), device="cuda")})
    assert recorder.points("a") == [(0, 1.0)]


def test_nan_and_what_is_no_number(recorder: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    with losswise.Session(track_git=False) as session:
        graph = session.graph("loss")
        graph.append(0, {"a": torch.tensor(float("nan"), device="cuda"), "many": torch.ones(3, device="cuda")})
        graph.append(1, {"a": torch.tensor(float("inf"), device="cuda")})
    assert [y for _x, y in recorder.points("a")] == ["NaN", "Infinity"]
    assert "'many'" in capsys.readouterr().err


def test_nothing_of_it_stays_on_the_gpu(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False) as session:
        graph = session.graph("loss")
        graph.append(0, {"a": torch.ones((), device="cuda")})
        session.flush()
        before = torch.cuda.memory_allocated()
        for x in range(1, 2_000):
            graph.append(x, {"a": torch.ones((), device="cuda")})
        session.flush()
        eventually(lambda: torch.cuda.memory_allocated() <= before)


def test_an_image_on_a_busy_gpu_is_not_waited_for(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False) as session:
        pixels = torch.zeros((3, 32, 48), device="cuda")
        session.image_sequence(0, "samples").append(pixels, "a")
        session.flush()
        pixels += 1.0
        pixels.zero_()
        is_busy = keep_busy()
        pixels += 1.0
        spent = took(lambda: session.image_sequence(1, "samples").append(pixels, "a"))
        assert is_busy()
        assert spent < BUSY / 4
        pixels.zero_()
    first, second = recorder.records("image")
    assert (second["width"], second["height"]) == (48, 32)
    assert first["sha256"] != second["sha256"]  # white, not black


def test_the_gpu_is_on_the_system_graphs(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False) as session:
        monitor = SystemMonitor(session.graph, lambda: 0, interval=0.3, first=0.1)
        held = torch.zeros((1024, 1024, 1024), device="cuda")  # 4 GiB
        is_busy = keep_busy(3.0)
        monitor.start()
        while is_busy():
            time.sleep(0.05)
        monitor.stop()
    titles = {record["id"]: record["title"] for record in recorder.records("graph")}
    found: dict[str, list[float]] = {}
    for record in recorder.records("points"):
        found.setdefault(titles[record["graph"]], []).extend(record["y"].get("gpu0", []))
    assert max(found["system/gpu"]) > 50
    assert max(found["system/gpu_memory"]) >= 4
    assert 10 < max(found["system/gpu_temperature"]) < 100
    del held


def test_jax_values_on_a_gpu_are_not_waited_for(recorder: FakeServer) -> None:
    jax = pytest.importorskip("jax")
    if jax.default_backend() != "gpu":
        pytest.skip("jax does not use the GPU here")
    square = jax.jit(lambda m: jax.lax.fori_loop(0, 1_500, lambda _, held: held @ m / 4096.0, m))
    matrix = jax.numpy.ones((4096, 4096))
    square(matrix)[0, 0].block_until_ready()
    with losswise.Session(track_git=False) as session:
        graph = session.graph("loss")
        result = square(matrix)[0, 0]
        began = time.perf_counter()
        graph.append(0, {"a": result})
        session.log({"b": result}, 0)
        spent = time.perf_counter() - began
        assert not result.is_ready()
        assert spent < 0.05
    assert recorder.points("a") == [(0, pytest.approx(1.0))]
    assert recorder.points("b") == [(0, pytest.approx(1.0))]


def test_a_lightning_fit_on_a_gpu(recorder: FakeServer, tmp_path: Any) -> None:
    lightning = pytest.importorskip("pytorch_lightning")
    from losswise.integrations import LosswiseLogger

    class Module(lightning.LightningModule):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def training_step(self, batch: Any, _number: int) -> Any:
            loss = self.layer(batch[0]).square().mean()
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones((64, 4))), batch_size=4)
    logger = LosswiseLogger(track_git=False)
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="gpu",
        devices=1,
        logger=logger,
        log_every_n_steps=1,
        enable_progress_bar=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(Module(), data)
    assert [x for x, _y in recorder.points("train_loss")] == list(range(32))
    assert recorder.records("status")[-1]["status"] == "complete"
