"""Every way in which a person hands a value to the client, and what must be recorded beside it."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from typing import Any

import PIL.Image

import losswise
from tests.client.conftest import points_of
from tests.client.values.hostile_leaves import Pairs

Session = losswise.Session
Start = Callable[..., Session]
Records = list[dict[str, Any]]


def merged(records: Records, type_: str, field: str) -> dict[str, Any]:
    """A field that is a mapping, of all records of a type."""
    return {
        name: value for record in records if record["type"] == type_ for name, value in record.get(field, {}).items()
    }


@dataclasses.dataclass
class Door:
    """A way into the client.

    Attributes:
        use: hands a value in, with good ones beside it. Returns the session.
        check: asserts that the good ones are among the records.
    """

    use: Callable[[Start, Any], Session]
    check: Callable[[Records], None]


def check_params(records: Records) -> None:
    params = merged(records, "session", "params")
    assert params["good"] == 1
    assert "bad" in params


def check_late_params(records: Records) -> None:
    check_params(records)
    assert "late" in merged(records, "session", "params")


def check_two_params(records: Records) -> None:
    params = merged(records, "session", "params")
    assert params["good"] == 1
    assert len(params) == 2


def assigned(session: Session, value: Any) -> None:
    session.params["good"] = 1
    session.params["bad"] = value
    session.params["late"] = 2


def joined(session: Session, value: Any) -> None:
    session.params |= {"bad": value, "good": 1}
    session.params.setdefault("late", value)


def appended(session: Session, value: Any) -> None:
    graph = session.graph("loss")
    for x in range(3):
        graph.append(x, {"good": float(x), "bad": value} if x == 1 else {"good": float(x), "bad": 0.5})
    graph.append(3, Pairs(("good", 3.0), ("bad", value)))


def appended_names(session: Session, value: Any) -> None:
    graph = session.graph("loss")
    for x in range(4):
        graph.append(x, Pairs(("good", float(x)), (value, 1.0)) if x in (1, 2) else {"good": float(x)})


def appended_xs(session: Session, value: Any) -> None:
    graph = session.graph("loss")
    for x in range(4):
        graph.append(x, {"good": float(x)})
        graph.append(value, {"other": 1.0})


def appended_points(session: Session, value: Any) -> None:
    graph = session.graph("loss")
    for x in range(4):
        graph.append(x, {"good": float(x)})
        graph.append(x, value)
        graph.append(value)


def logged(session: Session, value: Any) -> None:
    for x in range(4):
        session.log({"good": float(x), "bad": value if x in (1, 2) else 0.5}, x)


def logged_names(session: Session, value: Any) -> None:
    for x in range(4):
        session.log(Pairs(("good", float(x)), (value, 1.0)) if x in (1, 2) else {"good": float(x)}, x)


def logged_metrics(session: Session, value: Any) -> None:
    for x in range(4):
        session.log({"good": float(x)}, x)
        session.log(value, x)


def check_points(records: Records) -> None:
    assert points_of(records, "good") == [(x, float(x)) for x in range(4)]


def check_some_points(records: Records) -> None:
    """Where the value may be an x or a metric's name itself: the good points are there, in order."""
    assert [y for _x, y in points_of(records, "good") if y in range(4)] == [0.0, 1.0, 2.0, 3.0]


def graph_options(session: Session, value: Any) -> None:
    session.graph(value).append(0, {"titled": 0.0})
    graph = session.graph("loss", value, value, value, value)
    for x in range(4):
        graph.append(x, {"good": float(x)})


def check_graphs(records: Records) -> None:
    assert [y for _x, y in points_of(records, "good")][:1] == [0.0]  # the value may be a display_interval
    assert points_of(records, "titled") == [(0, 0.0)]
    assert "loss" in {record["title"] for record in records if record["type"] == "graph"}


def texts(session: Session, value: Any) -> None:
    session.text("good", "fine")
    session.text("bad", value)
    session.text(value, "named")
    session.text("stepped", "at", x=value)


def check_texts(records: Records) -> None:
    found = [record for record in records if record["type"] == "text"]
    assert [record["text"] for record in found if record["name"] == "good"] == ["fine"]
    assert len([record for record in found if record["name"] == "bad"]) == 1
    assert [record["text"] for record in found if record["name"] not in ("good", "bad")] == ["named", "at"]


def png() -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (2, 2)).save(file, "PNG")
    return file.getvalue()


def images(session: Session, value: Any) -> None:
    sequence = session.image_sequence(3, "good")
    sequence.append(png(), value)
    sequence.append(png(), "outputs", {"good": 1, "bad": value}, {"good": 1, "bad": value})
    sequence.append(png(), "as a whole", value, value)
    session.image_sequence(3, value).append(png(), "named")
    session.image_sequence(value, "at").append(png(), "stepped")
    sequence.append(png(), "last")


def check_images(records: Records) -> None:
    found = {record["image_id"]: record for record in records if record["type"] == "image"}
    assert {"outputs", "as a whole", "named", "last"} <= found.keys()
    assert len(found) >= 5
    assert found["outputs"]["outputs"]["good"] == found["outputs"]["metrics"]["good"] == 1


def values(session: Session, value: Any) -> None:
    session.set_values({"good": 1, "bad": value})
    session.set_values(Pairs((value, 1), ("also good", 2)))
    session.set_values(value)
    session.set_values({"late": 3})


def check_values(records: Records) -> None:
    found = merged(records, "values", "values")
    assert (found["good"], found["also good"], found["late"]) == (1, 2, 3)
    assert "bad" in found


def ended(**options: Callable[[Any], Any]) -> Callable[[Start, Any], Session]:
    """A way through `done`, with these arguments, made of the value."""

    def use(start: Start, value: Any) -> Session:
        session = start()
        session.graph("loss").append(0, {"good": 1.0})
        session.done(**{name: make(value) for name, make in options.items()})
        return session

    return use


def check_end(records: Records) -> None:
    assert points_of(records, "good") == [(0, 1.0)]
    assert records[-1]["type"] == "status"
    assert records[-1]["status"] in ("failed", "complete")


def ended_by_mapping(value: Any) -> Any:
    return Pairs(("type", "Error"), ("message", value), (value, "key"))


def odd_exception(value: Any) -> BaseException:
    class Odd(Exception):
        def __str__(self) -> str:
            return value

    return Odd(value)


def with_session(use: Callable[[Session, Any], Any]) -> Callable[[Start, Any], Session]:
    def run(start: Start, value: Any) -> Session:
        session = start()
        use(session, value)
        return session

    return run


DOORS: dict[str, Door] = {
    "Session(params=)": Door(lambda start, value: start(params={"bad": value, "good": 1}), check_params),
    "Session(data=)": Door(lambda start, value: start(data={"bad": value, "good": 1}), check_params),
    "Session(params=mapping)": Door(
        lambda start, value: start(params=Pairs(("bad", value), ("good", 1))), check_params
    ),
    "Session(params=names)": Door(lambda start, value: start(params=Pairs((value, 1), ("good", 1))), check_two_params),
    "params.update": Door(
        with_session(lambda session, value: session.params.update({"bad": value}, good=1)), check_params
    ),
    "params[...] =": Door(with_session(assigned), check_late_params),
    "params |=": Door(with_session(joined), check_late_params),
    "set_values": Door(with_session(values), check_values),
    "text": Door(with_session(texts), check_texts),
    "graph": Door(with_session(graph_options), check_graphs),
    "append values": Door(with_session(appended), check_points),
    "append names": Door(with_session(appended_names), check_some_points),
    "append x": Door(with_session(appended_xs), check_some_points),
    "append all": Door(with_session(appended_points), check_some_points),
    "log values": Door(with_session(logged), check_points),
    "log names": Door(with_session(logged_names), check_some_points),
    "log all": Door(with_session(logged_metrics), check_some_points),
    "images": Door(with_session(images), check_images),
    "done(error=exception)": Door(ended(status=lambda value: "failed", error=odd_exception), check_end),
    "done(error=mapping)": Door(ended(status=lambda value: "failed", error=ended_by_mapping), check_end),
    "done(error=)": Door(ended(error=lambda value: value), check_end),
    "done(reason=)": Door(ended(reason=lambda value: value), check_end),
    "done(status=)": Door(ended(status=lambda value: value), check_end),
}
