"""shared_stream.js, the stream that tabs share, with streams and tabs of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

SETTING = """
const streams = [];
class Stream extends EventTarget {
    constructor(address) {
        super();
        this.address = address;
        this.readyState = 0;
        streams.push(this);
    }
    say(name, data) {
        this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
    }
    hello(...projects) {
        this.say('hello', { time: Date.now() / 1000, projects });
    }
    refuse() {
        this.readyState = 2;
        this.dispatchEvent(new Event('error'));
    }
    close() {
        this.readyState = 2;
    }
}
Stream.CLOSED = 2;
globalThis.EventSource = Stream;
const base = document.querySelector('script[type=module]').src.replace(/js\\/.*/, 'js/');
const { Feed } = await import(`${base}data/shared_stream.js`);
const feed = new Feed();
const settle = (ms = 60) => new Promise((done) => setTimeout(done, ms));
const open = () => streams.filter(({ readyState }) => readyState !== 2).map(({ address }) => address);
const makeTab = (project, ...sessions) => {
    const { port1, port2 } = new MessageChannel();
    const heard = [];
    port1.onmessage = ({ data }) => heard.push(data);
    feed.add(port2);
    const tab = {
        heard,
        names: () => heard.map(({ name }) => name),
        say: (name, rest) => port1.postMessage({ name, ...rest }),
        follow: (...shown) => tab.say('follow', { project, sessions: shown }),
    };
    tab.follow(...sessions);
    return tab;
};
const points = (session, number) => ({ session, number });
"""


@pytest.fixture
def play(page: Page) -> Callable[[str], Any]:
    """Runs a scene, the body of an asynchronous function, and gives what it returns."""
    return lambda scene: page.evaluate(f"async () => {{ {SETTING} {scene} }}")


def test_tabs_that_open_together_are_one_stream_and_each_gets_its_part(play: Callable[[str], Any]) -> None:
    found = play("""
        const [a, b, c] = [makeTab('1', 'x'), makeTab('1', 'y'), makeTab('2')];
        await settle();
        const [stream] = streams;
        stream.hello(1, 2);
        stream.say('points', points('x', 1));
        stream.say('points', points('y', 2));
        stream.say('session', { id: 'z', project_id: 2 });
        stream.say('deleted', { id: 'y', project_id: 1 });
        await settle();
        return { open: open(), names: [a, b, c].map((tab) => tab.names()), count: streams.length };
    """)
    assert found["open"] == ["/live?project_id=1&project_id=2&session=x,y"]
    assert found["count"] == 1
    assert found["names"] == [["hello", "points", "deleted"], ["hello", "points", "deleted"], ["hello", "session"]]


def test_what_the_stream_holds_already_opens_none_and_still_says_hello(play: Callable[[str], Any]) -> None:
    found = play("""
        const [a, b] = [makeTab('1', 'x', 'y'), makeTab('1', 'y')];
        await settle();
        streams[0].hello(1);
        await settle();
        a.follow('x');
        b.follow('x', 'y');
        b.follow('x', 'y');
        await settle();
        return { count: streams.length, names: [a, b].map((tab) => tab.names()) };
    """)
    assert found["count"] == 1
    assert found["names"] == [["hello", "hello"], ["hello", "hello", "here"]]


def test_the_old_stream_goes_on_until_the_new_one_speaks(play: Callable[[str], Any]) -> None:
    found = play("""
        const a = makeTab('1', 'x');
        await settle();
        streams[0].hello(1);
        a.follow('x', 'y');
        await settle();
        const both = open();
        streams[0].say('points', points('x', 1));
        streams[1].hello(1);
        await settle();
        return { both, after: open(), names: a.names() };
    """)
    assert found["both"] == ["/live?project_id=1&session=x", "/live?project_id=1&session=x,y"]
    assert found["after"] == ["/live?project_id=1&session=x,y"]
    assert found["names"] == ["hello", "points", "hello"]


def test_more_sessions_than_an_address_names_are_all_of_the_projects(play: Callable[[str], Any]) -> None:
    found = play("""
        makeTab('1', ...Array.from({ length: 151 }, (_, number) => `s${number}`));
        await settle();
        return open();
    """)
    assert found == ["/live?project_id=1&session=*"]


def test_a_tab_that_takes_nothing_is_not_sent_more_and_asks_again_later(play: Callable[[str], Any]) -> None:
    found = play("""
        const [frozen, other] = [makeTab('1', 'x'), makeTab('1', 'x')];
        await settle();
        streams[0].hello(1);
        for (let number = 0; number < 2000; number += 1) {
            streams[0].say('points', points('x', number));
            if (number % 50 === 49) {
                other.say('taken', { count: number });
                await settle(0);
            }
        }
        await settle();
        const sent = [frozen, other].map(({ heard }) => heard.length);
        frozen.say('taken', { count: frozen.heard.length });
        await settle();
        const last = frozen.names().at(-1);
        streams[0].say('points', points('x', 'new'));
        await settle();
        return { sent, last, then: frozen.heard.at(-1).data.number };
    """)
    assert found["sent"] == [500, 2001]
    assert found["last"] == "hello"
    assert found["then"] == "new"


def test_a_refused_stream_is_told_and_asked_for_again(play: Callable[[str], Any]) -> None:
    found = play("""
        const a = makeTab('1', 'x');
        await settle();
        streams[0].refuse();
        await settle();
        const told = a.names();
        const late = makeTab('1', 'x');
        await settle();
        await settle(2500);
        streams[1].hello(1);
        await settle();
        return { told, late: late.names(), count: streams.length };
    """)
    assert found == {"told": ["refused"], "late": ["refused", "hello"], "count": 2}


def test_that_the_database_is_away_is_told_also_to_a_new_tab(play: Callable[[str], Any]) -> None:
    first, second = play("""
        const tab = makeTab('7', 'A');
        await settle();
        streams[0].hello(7);
        streams[0].say('away', { reason: 'It restarts.' });
        const other = makeTab('7', 'A');
        await settle();
        streams[0].hello(7);
        await settle();
        return [tab.heard, other.heard].map((heard) => heard.map(({ name, data }) => [name, data?.reason]));
    """)
    assert [name for name, _ in first] == ["hello", "away", "hello"]
    assert [name for name, _ in second] == ["away", "hello"]
    assert first[1][1] == second[0][1] == "It restarts."


def test_a_tab_whose_project_may_not_be_read_is_told_so_and_others_go_on(play: Callable[[str], Any]) -> None:
    found = play("""
        const [a, b] = [makeTab('1'), makeTab('2')];
        await settle();
        streams[0].hello(1);
        await settle();
        return [a.names(), b.names()];
    """)
    assert found == [["hello"], ["refused"]]


def test_the_stream_ends_with_the_last_tab(play: Callable[[str], Any]) -> None:
    found = play("""
        const [a, b] = [makeTab('1', 'x'), makeTab('1', 'x')];
        await settle();
        streams[0].hello(1);
        a.say('bye');
        await settle();
        const one = open().length;
        b.say('bye');
        await settle();
        return [one, open().length];
    """)
    assert found == [1, 0]


def test_tabs_and_streams_that_fall_silent_are_given_up(play: Callable[[str], Any]) -> None:
    found = play("""
        const [gone, stays] = [makeTab('1', 'x'), makeTab('2', 'y')];
        await settle();
        streams[0].hello(1, 2);
        const real = Date.now;
        let later = 181_000;
        Date.now = () => real() + later;
        stays.follow('y');
        await settle();
        feed.look();
        const second = open();
        streams[1].hello(2);
        gone.follow('x');
        await settle();
        Date.now = real;
        return { second, third: open().at(-1) };
    """)
    assert found["second"] == ["/live?project_id=1&project_id=2&session=x,y", "/live?project_id=2&session=y"]
    assert found["third"] == "/live?project_id=2&project_id=1&session=y,x"
