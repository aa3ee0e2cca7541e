"""Scenarios by number: a script, a proxy with faults, a recovery, and what must be so afterwards."""

from __future__ import annotations

import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import checks
from tests.faults.plans import Plan, plan_of, steady_plan
from tests.faults.processes import Script, ended_after, kill_server, start_again, sync
from tests.faults.proxy import Proxy
from tests.faults.schedule import Schedule
from tests.faults.wire import Message
from tests.support.server import Server, eventually


@dataclass
class Outcome:
    """What came of one scenario: what is wrong (nothing, one hopes), numbers to add up, and what happened."""

    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lost: float = 0.0
    story: list[str] = field(default_factory=list)


Scenario = Callable[[int, Server, Path], Outcome]


def faulty_network(number: int, server: Server, folder: Path) -> Outcome:
    """Random faults for a random script, whose end may come before the network is well again."""
    return _through_proxy(number, server, folder, Schedule.of(number), plan_of(number), is_away=number % 5 == 4)


def answers_lost(number: int, server: Server, folder: Path) -> Outcome:
    """Every second answer gets lost, from the first request to the last; no request does."""
    schedule = Schedule(f"answers {number}", ("drop answer",), 0.5, None)
    return _through_proxy(number, server, folder, schedule, plan_of(number))


def foreign_answers(number: int, server: Server, folder: Path) -> Outcome:
    """A dozen answers that are none of our server's; three scenarios have met them all."""
    schedule = Schedule(f"foreign {number}", ("foreign answer",), 0.8, 12, first=9 * number)
    return _through_proxy(number, server, folder, schedule, steady_plan(number, 2.0))


def _through_proxy(
    number: int, server: Server, folder: Path, schedule: Schedule, plan: Plan, is_away: bool = False
) -> Outcome:
    """A script behind a proxy. With `is_away` no server listens there before it has ended."""
    if plan.shape == "resumed after" and schedule.most is None:
        schedule.most = 6  # else two processes wait for their 10 s one after the other
    plan.write(folder / "plan.json")
    outcome = Outcome(story=[f"plan: {plan}", f"schedule: {schedule}"])
    with Proxy(server.port, schedule) as proxy, ended_after() as scripts:
        if is_away:
            proxy.refuse()
        scripts.append(Script(folder, "script", proxy.url, server.api_key))
        ids = scripts[0].ids()
        if plan.shape == "resumed after":
            scripts[0].wait()
        if plan.shape.startswith("resumed"):
            scripts.append(Script(folder, "second", proxy.url, server.api_key, ids[0]))
        if number % 10 == 7:  # it must not take away what a script is sending
            _, said = sync(folder, server)
            outcome.story.append(f"sync beside the script: {said}")
        for script in scripts:
            script.wait()
        if is_away:  # all is left for `losswise sync`, which meets the faults, and is killed now and then
            proxy.listen()
            _sync_left(outcome, folder, server, proxy.url, random.Random(number).choice((None, 0.3, 0.5, 0.8)))
            _sync_left(outcome, folder, server, proxy.url)
        _sync_left(outcome, folder, server)
        proxy.close()  # now comes what was on its way
        _tell(outcome, proxy, scripts)
    for script, end in zip(scripts, (plan.end, plan.second_end), strict=False):
        outcome.wrong += checks.script_was_left_alone(script.process.returncode, end, script.stderr())
    _check_all(outcome, server, folder, plan, ids)
    return outcome


def killed_script(number: int, server: Server, folder: Path) -> Outcome:
    """kill -9 of a script at a random moment, while the network has faults, too."""
    dice = random.Random(f"kill {number}")
    plan = steady_plan(number, 4.0)
    plan.notes = True
    plan.write(folder / "plan.json")
    schedule = Schedule.of(number)
    outcome = Outcome(story=[f"plan: {plan}", f"schedule: {schedule}"])
    with Proxy(server.port, schedule) as proxy, ended_after() as scripts:
        scripts.append(Script(folder, "script", proxy.url, server.api_key))
        ids = scripts[0].ids()
        eventually(lambda: (folder / "main.notes").exists() or scripts[0].process.poll() is not None, every=0.005)
        time.sleep(dice.uniform(0.0, 2.5))
        killed_at = time.time()
        scripts[0].kill()
        outcome.counts["kills of a script"] += scripts[0].process.returncode == -9
        _sync_left(outcome, folder, server)
        proxy.close()
        _tell(outcome, proxy, scripts)
    found = checks.stored(server, ids)
    wrong, outcome.lost = checks.lost(folder, plan, found, killed_at)
    outcome.wrong += wrong + checks.counted_right(server, ids, found) + checks.nothing_is_left(folder / "journals")
    outcome.counts["points checked"] += sum(map(len, found.values()))
    return outcome


def killed_server(number: int, server: Server, folder: Path) -> Outcome:
    """kill -9 of the server at a random moment, while two scripts send. Needs the server for itself."""
    dice = random.Random(f"server {number}")
    outcome = Outcome()
    runs: list[tuple[Path, Plan, Proxy, Script]] = []
    with ended_after() as scripts:
        for place in range(2):
            own = folder / str(place)
            own.mkdir()
            plan = steady_plan(2 * number + place, 1.5)
            plan.write(own / "plan.json")
            outcome.story.append(f"plan {place}: {plan}")
            proxy = Proxy(server.port, Schedule(f"server {number} {place}"))
            scripts.append(Script(own, "script", proxy.url, server.api_key))
            runs.append((own, plan, proxy, scripts[-1]))
        ids = [script.ids() for script in scripts]
        eventually(lambda: all(proxy.acknowledged for _, _, proxy, _ in runs), every=0.01)
        time.sleep(dice.uniform(0.0, 1.2))
        whole = dice.random() < 0.75
        outcome.story.append("the server with its workers is killed" if whole else "the workers are killed")
        acknowledged = _kill(server, whole, [proxy for _, _, proxy, _ in runs])
        outcome.counts["kills of the server"] += 1
        if whole:
            time.sleep(dice.choice((0.0, 0.5, 1.0, 3.0)))
            start_again(server)
        eventually(lambda: server.get("/api/v2/sessions", limit=1), every=0.02)
        for mine, requests in zip(ids, acknowledged, strict=True):
            found = checks.stored(server, mine)
            outcome.wrong += checks.acknowledged_is_there(requests, found, mine)
        for own, _, proxy, script in runs:
            script.wait()
            proxy.close()
            _tell(outcome, proxy, [script])
            _sync_left(outcome, own, server)
    for (own, plan, _, script), mine in zip(runs, ids, strict=True):
        outcome.wrong += checks.script_was_left_alone(script.process.returncode, plan.end, script.stderr())
        _check_all(outcome, server, own, plan, mine)
    return outcome


def _kill(server: Server, whole: bool, proxies: list[Proxy]) -> list[list[Message]]:
    """Kill it; returns the requests of each proxy that it had acknowledged."""
    kill_server(server, whole)
    return [list(proxy.acknowledged) for proxy in proxies]


def _sync_left(
    outcome: Outcome, folder: Path, server: Server, through: str | None = None, kill_after: float | None = None
) -> None:
    """`losswise sync` where journals are left. With the server itself it must bring everything."""
    if not list((folder / "journals").rglob("*.journal")):
        return
    status, said = sync(folder, server, through, kill_after)
    outcome.counts["syncs"] += 1
    outcome.counts["kills of a sync"] += status == -9
    outcome.story.append(f"sync {'through the proxy' if through else 'to the server'}: status {status}\n{said}")
    if status and not through:
        outcome.wrong.append(f"losswise sync ended with status {status}")
    if "Traceback" in said:
        outcome.wrong.append("losswise sync printed a traceback")


def _check_all(outcome: Outcome, server: Server, folder: Path, plan: Plan, ids: list[str]) -> None:
    found = checks.stored(server, ids)
    outcome.wrong += checks.points_arrived_once_and_in_order(plan.expected(), found)
    outcome.wrong += checks.counted_right(server, ids, found)
    outcome.wrong += checks.session_is_complete(server, plan, ids)
    outcome.wrong += checks.nothing_is_left(folder / "journals")
    outcome.counts["points checked"] += sum(map(len, found.values()))


def _tell(outcome: Outcome, proxy: Proxy, scripts: list[Script]) -> None:
    outcome.counts.update({f"fault: {kind}": count for kind, count in proxy.injected.items()})
    outcome.counts["resends"] += proxy.resends
    outcome.counts["acknowledged requests"] += len(proxy.acknowledged)
    outcome.wrong += [f"the proxy has an error of its own: {error}" for error in proxy.errors]
    outcome.story += proxy.log[-40:]
    outcome.story += [f"stderr of the script:\n{script.stderr()[-3_000:]}" for script in scripts]


def _is_short(number: int) -> bool:
    """Scenarios in which a script waits in vain for its whole 10 s start first, or the last one ends late."""
    schedule = Schedule.of(number)
    return schedule.most is not None and not {"hang", "hang answer"} & set(schedule.kinds)


def run(scenario: Scenario, numbers: Iterable[int], server: Server, folder: Path, beside: int) -> tuple[str, list[str]]:
    """Run scenarios, some side by side; returns a line of counts, and the story of each that went wrong."""

    def one(number: int) -> tuple[int, Outcome]:
        own = folder / f"{scenario.__name__}-{number}"
        own.mkdir()
        try:
            return number, scenario(number, server, own)
        except Exception:
            return number, Outcome([traceback.format_exc()])

    started = time.monotonic()
    with ThreadPoolExecutor(beside) as pool:
        outcomes = dict(pool.map(one, sorted(numbers, key=_is_short)))
    counts = sum((outcome.counts for outcome in outcomes.values()), Counter())
    parts = [f"{len(outcomes)} scenarios in {time.monotonic() - started:.0f} s"]
    parts += [f"{count} {name}" for name, count in sorted(counts.items()) if count and not name.startswith("fault: ")]
    faults = {name[7:]: count for name, count in sorted(counts.items()) if name.startswith("fault: ")}
    if faults:
        kinds = ", ".join(f"{count} {kind}" for kind, count in faults.items())
        parts.append(f"{sum(faults.values())} faults ({kinds})")
    if any(outcome.lost for outcome in outcomes.values()):
        parts.append(f"longest loss {max(outcome.lost for outcome in outcomes.values()) * 1000:.0f} ms")
    stories = [
        "\n".join([f"SCENARIO {number}", *(f"  WRONG: {line}" for line in outcome.wrong), *outcome.story])
        for number, outcome in sorted(outcomes.items())
        if outcome.wrong
    ]
    return ", ".join(parts), stories
